/* Text: formatted, parsed, measured, compared, searched, copied. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "operation.h"

/* Nineteen digits. */
OPERATION(format_integer)
{
	char buffer[32];
	uint64_t effect = 0;

	EACH(i) {
		int length = snprintf(buffer, sizeof(buffer), "%" PRIu64,
				      UINT64_C(1000000000000000000) + i);

		effect += length == 19 && buffer[18] == (char)('0' + i % 10);
	}
	return effect;
}

/* Two strings, and text between them. */
OPERATION(format_string)
{
	const char *names[] = { "alpha", "bravo" }, *value = "thirteen bytes";
	char buffer[32];
	uint64_t effect = 0;

	barrier(names);
	barrier(&value);
	EACH(i) {
		int length = snprintf(buffer, sizeof(buffer), "%s: %s", names[i & 1],
				      value);

		effect += length == 21 && buffer[0] == (char)('a' + (i & 1));
	}
	return effect;
}

/* Three digits after the point. */
OPERATION(format_float)
{
	double first = 1000.125;
	char buffer[32];
	uint64_t effect = 0;

	barrier(&first);
	EACH(i) {
		int length = snprintf(buffer, sizeof(buffer), "%.3f",
				      first + (double)(i & 7));

		effect += length == 8 && buffer[3] == (char)('0' + (i & 7));
	}
	return effect;
}

/* Into memory of its own. */
OPERATION(format_allocated)
{
	uint64_t effect = 0;

	EACH(i) {
		char *text;
		int length = asprintf(&text, "item %" PRIu64,
				      UINT64_C(1000000000000000000) + i);

		if (length < 0)
			break;
		effect += length == 24 && text[23] == (char)('0' + i % 10);
		free(text);
	}
	return effect;
}

OPERATION(parse_integer)
{
	const char *texts[] = { "-9223372036854775808", "1234567890123456789" };
	const int64_t values[] = { INT64_MIN, INT64_C(1234567890123456789) };
	uint64_t effect = 0;

	barrier(texts);
	EACH(i) {
		const char *text = texts[i & 1];
		char *end;
		int64_t value;

		errno = 0;
		value = strtoll(text, &end, 10);
		effect += errno == 0 && end != text && *end == '\0' &&
			  value == values[i & 1];
	}
	return effect;
}

OPERATION(parse_float)
{
	const char *texts[] = { "-1234.5678e10", "0.30000000000000004" };
	const double values[] = { -1234.5678e10, 0.1 + 0.2 };
	uint64_t effect = 0;

	barrier(texts);
	EACH(i) {
		const char *text = texts[i & 1];
		char *end;
		double value;

		errno = 0;
		value = strtod(text, &end);
		effect += errno == 0 && end != text && *end == '\0' &&
			  value == values[i & 1];
	}
	return effect;
}

/* 32 to 63 bytes and the zero after them. */
OPERATION(string_length)
{
	char text[65];
	uint64_t effect = 0;

	memset(text, 'x', 64);
	text[64] = '\0';
	barrier(text);
	EACH(i) {
		text[32 + i % 32] = '\0';
		effect += strlen(text) == 32 + i % 32;
		text[32 + i % 32] = 'x';
	}
	return effect;
}

/* 40 bytes, which differ in the last one every other time. */
OPERATION(string_compare)
{
	const char *left = "a text of forty bytes that ends with: 00";
	const char *right[] = {
		"a text of forty bytes that ends with: 00",
		"a text of forty bytes that ends with: 01",
	};
	uint64_t effect = 0;

	barrier(&left);
	barrier(right);
	EACH(i) {
		int order = strcmp(left, right[i & 1]);

		effect += i & 1 ? order < 0 : order == 0;
	}
	return effect;
}

/* Six letters in 1000 bytes, near the middle or near the end. */
OPERATION(string_find)
{
	const char *needles[] = { "needle", "middle" };
	char text[1001];
	uint64_t effect = 0;

	for (size_t i = 0; i < 1000; i++)
		text[i] = "some hay "[i % 9];
	text[1000] = '\0';
	memcpy(text + 900, needles[0], 6);
	memcpy(text + 500, needles[1], 6);

	barrier(needles);
	barrier(text);
	EACH(i) {
		const char *found = strstr(text, needles[i & 1]);

		effect += found && found - text == (i & 1 ? 500 : 900);
	}
	return effect;
}

OPERATION(string_duplicate)
{
	const char *texts[] = {
		"a text of forty bytes that ends with: 00",
		"a text of forty bytes that ends with: 01",
	};
	uint64_t effect = 0;

	barrier(texts);
	EACH(i) {
		char *text = strdup(texts[i & 1]);

		if (!text)
			break;
		barrier(text);
		effect += text[39] == (char)('0' + (i & 1));
		free(text);
	}
	return effect;
}
