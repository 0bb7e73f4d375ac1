// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text files of /proc and /sys.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "hvctl.h"

/**
 * file_read() - read a file, or its beginning, as a string
 *
 * Return: length of the string, or -1 with errno.
 */
ssize_t file_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = -1;

	text[0] = '\0';
	if (fd < 0)
		return -1;
	/* /proc gives a page at a time */
	while (len + 1 < size) {
		n = read(fd, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	text[len] = '\0';
	close(fd);
	return n < 0 ? -1 : (ssize_t)len;
}

static char *file_grow(char *text, size_t size)
{
	char *larger = realloc(text, size);

	if (!larger)
		msg_die("out of memory");
	return larger;
}

/**
 * file_read_all() - read a file, whatever its size, as a string
 *
 * Return: the string, to be freed; or NULL with errno.
 */
char *file_read_all(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	size_t len = 0, size = 1 << 16;
	char *text;
	ssize_t n;

	if (fd < 0)
		return NULL;
	text = file_grow(NULL, size);
	do {
		if (size - len < 2)
			text = file_grow(text, size *= 2);
		n = read(fd, text + len, size - 1 - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	err = errno;
	close(fd);
	text[len] = '\0';
	if (!n)
		return text;
	free(text);
	errno = err;
	return NULL;
}

/**
 * file_exists() - there is such a file or folder
 */
bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}
