/* Runs one case of the conformance suite by way of libwasmrt, and leaves what came of it as JSON.
 *
 *   adapter DIRECTORY MODULE TIMES
 *
 * DIRECTORY/spec.json is the case's spec; the report is DIRECTORY/report.json, and captured streams lie beside it. The runs must leave nothing behind in
 * this process: no descriptor, and no child once the runtime is gone.
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmrt.h>

static void stop(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  exit(1);
}

/* A file as a text. */
static char *read_text(const char *path) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) stop(path, "cannot be opened");
  char *text = NULL;
  size_t size = 0, got = 0;
  do {
    text = (char *)realloc(text, size + 65536 + 1);
    if (text == NULL) stop(path, "no memory");
    got = fread(text + size, 1, 65536, file);
    size += got;
  } while (got > 0);
  text[size] = 0;
  fclose(file);
  return text;
}

static void write_file(const char *directory, const char *name, const void *bytes, size_t size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, "wb");
  if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) stop(path, "cannot be written");
}

static void report(const char *directory, const char *what, const char *json) {
  size_t size = strlen(what) + strlen(json) + 16;
  char *text = (char *)malloc(size);
  if (text == NULL) stop("report", "no memory");
  snprintf(text, size, "{\"%s\":%s}", what, json);
  write_file(directory, "report.json", text, strlen(text));
  free(text);
}

static void report_outcome(const char *directory, const wasmrt_outcome_t *outcome) {
  size_t size = 0;
  const uint8_t *bytes = wasmrt_outcome_stdout(outcome, &size);
  if (bytes != NULL) write_file(directory, "stdout", bytes, size);
  bytes = wasmrt_outcome_stderr(outcome, &size);
  if (bytes != NULL) write_file(directory, "stderr", bytes, size);
  char *json = wasmrt_outcome_to_json(outcome, NULL);
  report(directory, "outcome", json);
  wasmrt_string_delete(json);
}

static void report_error(const char *directory, const wasmrt_error_t *error) {
  char *json = wasmrt_error_to_json(error, NULL);
  report(directory, "error", json);
  wasmrt_string_delete(json);
}

static size_t open_descriptors(void) {
  size_t count = 0;
  DIR *directory = opendir("/proc/self/fd");
  if (directory == NULL) stop("/proc/self/fd", "cannot be read");
  while (readdir(directory) != NULL) count++;
  closedir(directory);
  return count;
}

int main(int argc, char **argv) {
  if (argc != 4) stop(argv[0], "DIRECTORY MODULE TIMES");
  char path[4096];
  snprintf(path, sizeof path, "%s/spec.json", argv[1]);
  char *json = read_text(path);
  long times = strtol(argv[3], NULL, 10);
  wasmrt_error_t *error = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = runtime ? wasmrt_module_from_file(argv[2], &error) : NULL;
  if (module == NULL) stop(argv[2], wasmrt_error_text(error));
  /* The first run starts wasmrt-worker; what each run leaves behind is in all later ones. */
  size_t earlier = SIZE_MAX, later = SIZE_MAX;
  for (long i = 0; i < times; i++) {
    wasmrt_spec_t *spec = wasmrt_spec_from_json(json, &error);
    wasmrt_outcome_t *outcome = spec ? wasmrt_run(runtime, module, spec, NULL, &error) : NULL;
    if (outcome != NULL)
      report_outcome(argv[1], outcome);
    else
      report_error(argv[1], error);
    wasmrt_error_delete(error);
    wasmrt_outcome_delete(outcome);
    wasmrt_spec_delete(spec);
    size_t open = open_descriptors();
    size_t *least = i < (times + 1) / 2 ? &earlier : &later;
    if (open < *least) *least = open;
  }
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  free(json);
  if (later != SIZE_MAX && later > earlier) stop("runs", "leak descriptors");
  char *children = read_text("/proc/thread-self/children");
  if (strspn(children, " \n") != strlen(children)) stop("runs left processes behind", children);
  free(children);
  return 0;
}
