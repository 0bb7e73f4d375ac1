// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small text files of /proc and /sys.
 */
#include <errno.h>
#include <fcntl.h>
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

/**
 * file_exists() - there is such a file or folder
 */
bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}
