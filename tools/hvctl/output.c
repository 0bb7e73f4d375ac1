// SPDX-License-Identifier: GPL-2.0-only
/*
 * Output: standard output that is checked for errors, and JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include "hvctl.h"

static int output_error(void)
{
	msg_error("cannot write the output: %s", strerror(errno));
	return HVCTL_FAIL;
}

/**
 * output_flush() - write out what was printed
 *
 * Return: HVCTL_OK, or HVCTL_FAIL after a message.
 */
int output_flush(void)
{
	if (ferror(stdout) || fflush(stdout))
		return output_error();
	return HVCTL_OK;
}

/**
 * output_close() - the last write; full disks and closed pipes show here
 *
 * Return: as output_flush().
 */
int output_close(void)
{
	bool failed = ferror(stdout);

	if (fclose(stdout) || failed)
		return output_error();
	return HVCTL_OK;
}

/**
 * output_is_terminal() - a person looks at the output
 */
bool output_is_terminal(void)
{
	return isatty(STDOUT_FILENO);
}

/**
 * output_json() - print an object, and give it up
 * @one_line: for streams of objects, one a line
 */
void output_json(struct json_object *obj, bool one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;
	const char *text;

	flags |= one_line ? JSON_C_TO_STRING_PLAIN :
		 JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	text = json_object_to_json_string_ext(obj, flags);
	if (!text)
		msg_die("out of memory");
	puts(text);
	json_object_put(obj);
}

static struct json_object *json_checked(struct json_object *obj)
{
	if (!obj)
		msg_die("out of memory");
	return obj;
}

struct json_object *json_new_object(void)
{
	return json_checked(json_object_new_object());
}

struct json_object *json_new_array(void)
{
	return json_checked(json_object_new_array());
}

/**
 * json_put() - add a value to an object, which owns it then
 */
void json_put(struct json_object *obj, const char *key, struct json_object *val)
{
	if (json_object_object_add(obj, key, val))
		msg_die("out of memory");
}

void json_put_u64(struct json_object *obj, const char *key, uint64_t val)
{
	json_put(obj, key, json_checked(json_object_new_uint64(val)));
}

/**
 * json_put_hex() - add an address or the like, as a string
 *
 * Many programs keep numbers as doubles, in which 64 bits have no room.
 */
void json_put_hex(struct json_object *obj, const char *key, uint64_t val)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)val);
	json_put_string(obj, key, text);
}

/**
 * json_put_fixed() - add a number with a fixed number of decimal places
 */
void json_put_fixed(struct json_object *obj, const char *key, double val, int digits)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*f", digits, val);
	json_put(obj, key, json_checked(json_object_new_double_s(val, text)));
}

void json_put_bool(struct json_object *obj, const char *key, bool val)
{
	json_put(obj, key, json_checked(json_object_new_boolean(val)));
}

/**
 * json_put_string() - add a string, or null
 */
void json_put_string(struct json_object *obj, const char *key, const char *val)
{
	json_put(obj, key, val ? json_checked(json_object_new_string(val)) : NULL);
}

/**
 * json_append() - add a value to an array, which owns it then
 */
void json_append(struct json_object *arr, struct json_object *val)
{
	if (json_object_array_add(arr, val))
		msg_die("out of memory");
}

void json_append_string(struct json_object *arr, const char *val)
{
	json_append(arr, json_checked(json_object_new_string(val)));
}

void json_append_u64(struct json_object *arr, uint64_t val)
{
	json_append(arr, json_checked(json_object_new_uint64(val)));
}

/**
 * text_make_printable() - replace what is not printable ASCII by dots
 */
void text_make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < 0x20 || *text > 0x7e)
			*text = '.';
	}
}

/**
 * text_sanitize() - make text from outside fit for terminals and JSON
 *
 * All but printable ASCII becomes \xNN. @size should be 4 * @len + 1.
 */
void text_sanitize(char *dst, size_t size, const char *src, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 5 <= size; i++) {
		unsigned char c = (unsigned char)src[i];

		if (c >= 0x20 && c < 0x7f)
			dst[n++] = (char)c;
		else
			n += (size_t)snprintf(dst + n, size - n, "\\x%02x", c);
	}
	dst[n] = '\0';
}
