/* What the programs here have in common. */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmrt.h>

#define MUST(condition)                                                                                  \
  do {                                                                                                   \
    if (!(condition)) {                                                                                  \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition,                                 \
              error ? wasmrt_error_text(error) : "no error");                                            \
      exit(1);                                                                                           \
    }                                                                                                    \
  } while (0)

/* There is an error of this kind, and then none. */
#define FAILED(expected)                              \
  do {                                                \
    MUST(wasmrt_error_kind(error) == (expected));     \
    wasmrt_error_delete(error);                       \
    error = NULL;                                     \
  } while (0)

#endif
