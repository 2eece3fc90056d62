/* Sockets. */
#include <sys/socket.h>
#include <unistd.h>

#include "operation.h"

/* 64 bytes in at one end and out at the other. */
OPERATION(socket_pair_64)
{
	int ends[2];
	uint8_t sent[64] = { 0 }, received[64] = { 0 };
	uint64_t effect = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return 0;
	EACH(i) {
		sent[63] = (uint8_t)(i + 1);
		effect += send(ends[0], sent, 64, MSG_NOSIGNAL) == 64 &&
			  recv(ends[1], received, 64, 0) == 64 &&
			  received[63] == (uint8_t)(i + 1);
	}
	close(ends[0]);
	close(ends[1]);
	return effect;
}
