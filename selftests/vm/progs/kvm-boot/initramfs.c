// SPDX-License-Identifier: GPL-2.0-only
/* kvm-boot: the guest's file system, an archive in cpio's "newc" format. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "boot.h"

#define ROOM		(1ul << 20)

struct archive {
	uint8_t *start;
	size_t size, space;
	int inode;
};

static void make_room(struct archive *archive, size_t size)
{
	if (archive->size + size <= archive->space)
		return;
	archive->space = archive->size + size + ROOM;
	archive->start = realloc(archive->start, archive->space);
	if (!archive->start)
		die("no memory for the guest's files");
}

static void append(struct archive *archive, const void *data, size_t size)
{
	/* with what aligns the next one */
	make_room(archive, size + 3);
	memcpy(archive->start + archive->size, data, size);
	archive->size += size;
	while (archive->size & 3)
		archive->start[archive->size++] = 0;
}

static void add(struct archive *archive, const char *name, mode_t mode, dev_t device,
		const void *data, size_t size)
{
	char head[512];
	int length;

	length = snprintf(head, sizeof(head), "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x%s",
			  ++archive->inode, mode, 0, 0, 1, 0, size, 0, 0, major(device), minor(device),
			  strlen(name) + 1, 0, name);
	if (length >= (int)sizeof(head))
		die("%s: too long a name", name);
	append(archive, head, length + 1);
	append(archive, data, size);
}

static void add_folder(struct archive *archive, const char *name)
{
	add(archive, name, S_IFDIR | 0755, 0, "", 0);
}

static void add_file(struct archive *archive, const char *path, const char *name)
{
	const uint8_t *data;
	struct stat info;
	size_t size;

	data = map_file(path, &size);
	if (stat(path, &info))
		die("%s: %s", path, strerror(errno));
	add(archive, name, S_IFREG | (info.st_mode & 0777), 0, data, size);
	unmap_file(data, size);
}

/* cpio makes no folders by itself. */
static void add_parents(struct archive *archive, const char *name)
{
	char part[256];

	for (const char *end = strchr(name, '/'); end; end = strchr(end + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(end - name), name);
		add_folder(archive, part);
	}
}

/* A file, or a folder with all that is in it. */
static void add_tree(struct archive *archive, char *path, const char *name)
{
	char *const paths[] = { path, NULL };
	FTS *tree = fts_open(paths, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	char inside[256];
	FTSENT *entry;

	add_parents(archive, name);
	while (tree && (entry = fts_read(tree))) {
		snprintf(inside, sizeof(inside), "%s%s", name, entry->fts_path + strlen(path));
		if (entry->fts_info == FTS_D)
			add_folder(archive, inside);
		else if (entry->fts_info == FTS_F)
			add_file(archive, entry->fts_path, inside);
		else if (entry->fts_info != FTS_DP)
			die("%s: %s", entry->fts_path, strerror(entry->fts_errno));
	}
	if (tree)
		fts_close(tree);
}

/* SRC[:DST], of which DST is in /t if it is not absolute. */
static void add_argument(struct archive *archive, const char *argument)
{
	char path[256], name[256];
	const char *target = strrchr(argument, ':');
	int length = target ? target - argument : (int)strlen(argument);

	snprintf(path, sizeof(path), "%.*s", length, argument);
	target = target ? target + 1 : basename(path);
	snprintf(name, sizeof(name), "%s%s", *target == '/' ? "" : "t/", target + (*target == '/'));
	add_tree(archive, path, name);
}

static void add_command(struct archive *archive, struct machine *machine)
{
	static const char *const folders[] = { "bin", "sbin", "usr", "usr/bin", "usr/sbin", "t" };

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		add_folder(archive, folders[i]);
	add(archive, COMMAND_FILE + 1, S_IFREG | 0644, 0, machine->command, strlen(machine->command));
	add_file(archive, BUSYBOX, BUSYBOX + 1);
	for (int i = 0; i < machine->nr_files; i++)
		add_argument(archive, machine->files[i]);
}

size_t write_initramfs(struct machine *machine, uint32_t *address)
{
	struct archive archive = { 0 };

	add_folder(&archive, "dev");
	add(&archive, "dev/console", S_IFCHR | 0600, makedev(5, 1), "", 0);
	add(&archive, "dev/kmsg", S_IFCHR | 0600, makedev(1, 11), "", 0);
	add_file(&archive, machine->init ?: "/proc/self/exe", "init");
	if (machine->command)
		add_command(&archive, machine);
	add(&archive, "TRAILER!!!", 0, 0, "", 0);
	if (archive.size > machine->ram_size / 3)
		die("%zu MB of files need more memory than the guest has", archive.size >> 20);
	*address = (machine->ram_size - archive.size) & -PAGE_SIZE;
	memcpy(machine->ram + *address, archive.start, archive.size);
	free(archive.start);
	return archive.size;
}
