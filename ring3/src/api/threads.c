/* Threads, and what they do for each other. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "operation.h"

static void *echo(void *argument)
{
	return argument;
}

OPERATION(thread)
{
	uint64_t effect = 0;

	EACH(i) {
		pthread_t thread;
		void *result;

		if (pthread_create(&thread, NULL, echo, (void *)(i + 1)))
			break;
		effect += pthread_join(thread, &result) == 0 && (uint64_t)result == i + 1;
	}
	return effect;
}

static _Thread_local uint64_t local;

OPERATION(thread_local)
{
	uint64_t before = local;

	EACH(i) {
		local++;
		barrier(&local);
	}
	return local - before;
}

struct rally {
	pthread_mutex_t lock;
	pthread_cond_t turned;
	bool asked, over;
	uint64_t answers;
};

static void *answer(void *argument)
{
	struct rally *rally = argument;

	pthread_mutex_lock(&rally->lock);
	for (;;) {
		while (!rally->asked && !rally->over)
			pthread_cond_wait(&rally->turned, &rally->lock);
		if (rally->over)
			break;
		rally->asked = false;
		rally->answers++;
		pthread_cond_signal(&rally->turned);
	}
	pthread_mutex_unlock(&rally->lock);
	return NULL;
}

OPERATION(condvar_round_trip)
{
	struct rally rally = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.turned = PTHREAD_COND_INITIALIZER,
	};
	pthread_t other;

	if (pthread_create(&other, NULL, answer, &rally))
		return 0;

	EACH(i) {
		pthread_mutex_lock(&rally.lock);
		rally.asked = true;
		pthread_cond_signal(&rally.turned);
		while (rally.asked)
			pthread_cond_wait(&rally.turned, &rally.lock);
		pthread_mutex_unlock(&rally.lock);
	}

	pthread_mutex_lock(&rally.lock);
	rally.over = true;
	pthread_cond_signal(&rally.turned);
	pthread_mutex_unlock(&rally.lock);
	pthread_join(other, NULL);
	return rally.answers;
}

/* A queue of messages: a list under a lock, and a condition. */
struct message {
	TAILQ_ENTRY(message) link;
	uint64_t value;
};
TAILQ_HEAD(messages, message);

struct channel {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct messages messages;
};

static void channel_init(struct channel *channel)
{
	pthread_mutex_init(&channel->lock, NULL);
	pthread_cond_init(&channel->filled, NULL);
	TAILQ_INIT(&channel->messages);
}

static void channel_destroy(struct channel *channel)
{
	pthread_cond_destroy(&channel->filled);
	pthread_mutex_destroy(&channel->lock);
}

static void channel_send(struct channel *channel, uint64_t value)
{
	struct message *message = malloc(sizeof(*message));

	if (!message)
		abort();
	message->value = value;
	pthread_mutex_lock(&channel->lock);
	TAILQ_INSERT_TAIL(&channel->messages, message, link);
	pthread_cond_signal(&channel->filled);
	pthread_mutex_unlock(&channel->lock);
}

static uint64_t channel_receive(struct channel *channel)
{
	struct message *message;
	uint64_t value;

	pthread_mutex_lock(&channel->lock);
	while (!(message = TAILQ_FIRST(&channel->messages)))
		pthread_cond_wait(&channel->filled, &channel->lock);
	TAILQ_REMOVE(&channel->messages, message, link);
	pthread_mutex_unlock(&channel->lock);
	value = message->value;
	free(message);
	return value;
}

OPERATION(channel)
{
	struct channel channel;
	uint64_t effect = 0;

	channel_init(&channel);
	EACH(i) {
		channel_send(&channel, i);
		effect += channel_receive(&channel) == i;
	}
	channel_destroy(&channel);
	return effect;
}

struct line {
	struct channel there, back;
};

/* No value: the other side has hung up. */
#define HUNG_UP UINT64_MAX

static void *send_back(void *argument)
{
	struct line *line = argument;
	uint64_t value;

	while ((value = channel_receive(&line->there)) != HUNG_UP)
		channel_send(&line->back, value);
	return NULL;
}

OPERATION(channel_round_trip)
{
	struct line line;
	pthread_t other;
	uint64_t effect = 0;

	channel_init(&line.there);
	channel_init(&line.back);
	if (pthread_create(&other, NULL, send_back, &line))
		return 0;

	EACH(i) {
		channel_send(&line.there, i);
		effect += channel_receive(&line.back) == i;
	}

	channel_send(&line.there, HUNG_UP);
	pthread_join(other, NULL);
	channel_destroy(&line.back);
	channel_destroy(&line.there);
	return effect;
}
