/* Files, by system call and through a buffer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "operation.h"

/* What BufReader and BufWriter have. */
#define BUFFER 8192

/*
 * A file in memory, for both languages: 1024 lines of 64 bytes, each of which
 * begins with its number in four digits. Negative: errno.
 */
int rf_api_lines(void);
int rf_api_lines(void)
{
	char lines[1024][64];
	int file = memfd_create("ringfence", MFD_CLOEXEC);

	if (file < 0)
		return -errno;
	memset(lines, ' ', sizeof(lines));
	for (int i = 0; i < 1024; i++) {
		lines[i][0] = (char)('0' + i / 1000);
		lines[i][1] = (char)('0' + i / 100 % 10);
		lines[i][2] = (char)('0' + i / 10 % 10);
		lines[i][3] = (char)('0' + i % 10);
		lines[i][63] = '\n';
	}
	if (write(file, lines, sizeof(lines)) != sizeof(lines)) {
		close(file);
		return -EIO;
	}
	lseek(file, 0, SEEK_SET);
	return file;
}

OPERATION(read_4096)
{
	int file = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	uint8_t bytes[4096];
	uint64_t effect = 0;

	if (file < 0)
		return 0;
	EACH(i) {
		bytes[4095] = 1;
		effect += read(file, bytes, sizeof(bytes)) == 4096 && bytes[4095] == 0;
	}
	close(file);
	return effect;
}

OPERATION(write_4096)
{
	int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
	uint8_t bytes[4096] = { 0 };
	uint64_t effect = 0;

	if (file < 0)
		return 0;
	EACH(i)
		effect += write(file, bytes, sizeof(bytes)) == 4096;
	close(file);
	return effect;
}

/* One line at its place. */
OPERATION(pread_64)
{
	int file = rf_api_lines();
	uint8_t bytes[64];
	uint64_t effect = 0;

	if (file < 0)
		return 0;
	EACH(i) {
		effect += pread(file, bytes, 64, (off_t)(i % 1024 * 64)) == 64 &&
			  bytes[3] == '0' + i % 1024 % 10;
	}
	close(file);
	return effect;
}

OPERATION(seek)
{
	int file = rf_api_lines();
	uint64_t effect = 0;

	if (file < 0)
		return 0;
	EACH(i)
		effect += lseek(file, (off_t)i, SEEK_SET) == (off_t)i;
	close(file);
	return effect;
}

OPERATION(buffered_read_64)
{
	FILE *file = fopen("/dev/zero", "re");
	uint8_t bytes[64];
	uint64_t effect = 0;

	if (!file)
		return 0;
	setvbuf(file, NULL, _IOFBF, BUFFER);
	EACH(i) {
		bytes[63] = 1;
		effect += fread(bytes, sizeof(bytes), 1, file) == 1 && bytes[63] == 0;
	}
	fclose(file);
	return effect;
}

OPERATION(buffered_write_64)
{
	FILE *file = fopen("/dev/null", "we");
	uint8_t bytes[64] = { 0 };
	uint64_t effect = 0;

	if (!file)
		return 0;
	setvbuf(file, NULL, _IOFBF, BUFFER);
	EACH(i)
		effect += fwrite(bytes, sizeof(bytes), 1, file) == 1;
	if (fclose(file))
		return 0;
	return effect;
}

/* After the last line comes the first one. */
OPERATION(read_line)
{
	int lines = rf_api_lines();
	FILE *file = lines < 0 ? NULL : fdopen(lines, "r");
	char *line = NULL;
	size_t size = 0;
	uint64_t effect = 0;

	if (!file)
		return 0;
	setvbuf(file, NULL, _IOFBF, BUFFER);
	EACH(i) {
		ssize_t length = getline(&line, &size, file);

		if (length < 0) {
			rewind(file);
			length = getline(&line, &size, file);
		}
		effect += length == 64 && line[3] == (char)('0' + i % 1024 % 10);
	}
	free(line);
	fclose(file);
	return effect;
}

OPERATION(open)
{
	const char *path = "/dev/null";
	uint64_t effect = 0;

	barrier(&path);
	EACH(i) {
		int file = open(path, O_RDONLY | O_CLOEXEC);

		effect += file >= 0 && close(file) == 0;
	}
	return effect;
}

OPERATION(open_missing)
{
	const char *path = "/dev/ringfence/missing";
	uint64_t effect = 0;

	barrier(&path);
	EACH(i)
		effect += open(path, O_RDONLY | O_CLOEXEC) < 0 && errno == ENOENT;
	return effect;
}

OPERATION(duplicate)
{
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	uint64_t effect = 0;

	if (file < 0)
		return 0;
	EACH(i) {
		int copy = fcntl(file, F_DUPFD_CLOEXEC, 3);

		effect += copy >= 3 && copy != file && close(copy) == 0;
	}
	close(file);
	return effect;
}

OPERATION(stat)
{
	const char *path = "/";
	uint64_t effect = 0;

	barrier(&path);
	EACH(i) {
		struct stat status;

		effect += stat(path, &status) == 0 && S_ISDIR(status.st_mode);
	}
	return effect;
}

OPERATION(fstat)
{
	int file = rf_api_lines();
	uint64_t effect = 0;

	if (file < 0)
		return 0;
	EACH(i) {
		struct stat status;

		effect += fstat(file, &status) == 0 && status.st_size == 65536;
	}
	close(file);
	return effect;
}

/* How many entries, without `.` and `..`; none if it cannot be read. */
static uint64_t entries(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	uint64_t count = 0;

	if (!directory)
		return 0;
	while ((entry = readdir(directory))) {
		const char *name = entry->d_name;

		if (name[0] == '.' &&
		    (name[1] == '\0' || (name[1] == '.' && name[2] == '\0')))
			continue;
		count++;
	}
	closedir(directory);
	return count;
}

OPERATION(read_directory)
{
	const char *path = "/";
	uint64_t expected = entries(path), effect = 0;

	barrier(&path);
	EACH(i) {
		uint64_t count = entries(path);

		effect += count > 0 && count == expected;
	}
	return effect;
}
