/* Prints three specs: the default, one in which everything was set, and one in which some of that was taken back. */
#include "must.h"

static void print(const wasmrt_spec_t *spec) {
  wasmrt_error_t *error = NULL;
  char *json = wasmrt_spec_to_json(spec, &error);
  MUST(json != NULL);
  puts(json);
  wasmrt_string_delete(json);
}

/* Is refused, as a wrong input, and leaves the spec as it was. */
#define WRONG(call)                                                            \
  do {                                                                         \
    char *before = wasmrt_spec_to_json(spec, NULL);                            \
    MUST(!(call) && wasmrt_error_kind(error) == WASMRT_ERROR_INVALID_INPUT);   \
    wasmrt_error_delete(error);                                                \
    error = NULL;                                                              \
    char *after = wasmrt_spec_to_json(spec, NULL);                             \
    MUST(strcmp(before, after) == 0);                                          \
    wasmrt_string_delete(before);                                              \
    wasmrt_string_delete(after);                                               \
  } while (0)

int main(void) {
  wasmrt_error_t *error = NULL;
  wasmrt_spec_t *spec = wasmrt_spec_new();
  print(spec);

  const char *call[] = {"1", "2"};
  const char *args[] = {"guest", "one"};
  MUST(wasmrt_spec_set_engine(spec, "wasmtime", &error));
  MUST(wasmrt_spec_set_isolation(spec, "in-process", &error));
  MUST(wasmrt_spec_set_require_os_sandbox(spec, true, &error));
  MUST(wasmrt_spec_set_aot(spec, "never", &error));
  MUST(wasmrt_spec_set_optimize(spec, 2, &error));
  MUST(wasmrt_spec_set_entry_invoke(spec, "add", call, 2, &error));
  MUST(wasmrt_spec_set_args(spec, args, 2, &error));
  MUST(wasmrt_spec_add_arg(spec, "two", &error));
  MUST(wasmrt_spec_set_env(spec, "A", "0", &error));
  MUST(wasmrt_spec_set_env(spec, "A", "1", &error));
  MUST(wasmrt_spec_set_env(spec, "B", "two words", &error));
  MUST(wasmrt_spec_inherit_env(spec, "HOME", &error));
  MUST(wasmrt_spec_add_preopen(spec, "/tmp", "/data", "ro", &error));
  MUST(wasmrt_spec_add_preopen(spec, "/var", "/v", "rw", &error));
  MUST(wasmrt_spec_set_stdin_bytes(spec, (const uint8_t *)"in", 2, &error));
  MUST(wasmrt_spec_set_stdout_capture(spec, 4096, &error));
  MUST(wasmrt_spec_set_stderr_file(spec, "/dev/null", &error));
  MUST(wasmrt_spec_allow_network(spec, "connect=example.org:443", &error));
  MUST(wasmrt_spec_publish_port(spec, "127.0.0.1:8080:80", &error));
  MUST(wasmrt_spec_set_clock_fixed(spec, 1000000000, &error));
  MUST(wasmrt_spec_set_random_fixed(spec, 7, &error));
  const char *limits[][2] = {
      {"memory_bytes", "64MiB"},  {"table_elements", "1000"},   {"call_depth", "100"},      {"fuel", "unlimited"},
      {"cpu_time", "2s"},         {"wall_time", "1.5s"},        {"output_bytes", "1k"},     {"open_files", "16"},
      {"written_bytes", "1m"},    {"open_sockets", "8"},        {"listen_backlog", "4"},    {"received_bytes", "2m"},
      {"sent_bytes", "3m"},       {"module_bytes", "10MiB"},    {"compile_time", "30s"},
  };
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
    MUST(wasmrt_spec_set_limit(spec, limits[i][0], limits[i][1], &error));
  print(spec);

  WRONG(wasmrt_spec_set_engine(spec, "v8", &error));
  WRONG(wasmrt_spec_set_isolation(spec, "none", &error));
  WRONG(wasmrt_spec_set_aot(spec, "perhaps", &error));
  WRONG(wasmrt_spec_set_optimize(spec, 4, &error));
  WRONG(wasmrt_spec_set_optimize(spec, -2, &error));
  WRONG(wasmrt_spec_set_limit(spec, "fule", "1", &error));
  WRONG(wasmrt_spec_set_limit(spec, "fuel", "much", &error));
  WRONG(wasmrt_spec_add_preopen(spec, "/tmp", "/data", "rx", &error));
  WRONG(wasmrt_spec_set_stdin(spec, "tty", &error));
  WRONG(wasmrt_spec_set_stdout(spec, "tty", &error));
  WRONG(wasmrt_spec_set_stderr(spec, "tty", &error));
  WRONG(wasmrt_spec_allow_network(spec, "everything", &error));
  WRONG(wasmrt_spec_publish_port(spec, "all", &error));
  WRONG(wasmrt_spec_set_args(spec, NULL, 1, &error));
  WRONG(wasmrt_spec_set_stdin_bytes(spec, (const uint8_t *)"in", SIZE_MAX, &error));
  WRONG(wasmrt_spec_set_env(spec, "\xff", "", &error));
  MUST(wasmrt_spec_from_json("{\"fule\": 1}", &error) == NULL);
  MUST(wasmrt_error_kind(error) == WASMRT_ERROR_INVALID_INPUT);
  wasmrt_error_delete(error);
  error = NULL;

  wasmrt_spec_t *other = wasmrt_spec_clone(spec);
  MUST(wasmrt_spec_set_entry_start(other, &error));
  MUST(wasmrt_spec_set_clock_real(other, &error));
  MUST(wasmrt_spec_set_random_real(other, &error));
  MUST(wasmrt_spec_set_optimize(other, -1, &error));
  MUST(wasmrt_spec_set_stdin_file(other, "/dev/null", &error));
  MUST(wasmrt_spec_set_stdin(other, "piped", &error));
  MUST(wasmrt_spec_set_stdout_file(other, "/dev/null", &error));
  MUST(wasmrt_spec_set_stdout(other, "capture", &error));
  MUST(wasmrt_spec_set_stderr_capture(other, 1, &error));
  MUST(wasmrt_spec_set_stderr(other, "null", &error));
  MUST(wasmrt_spec_set_limit(other, "fuel", NULL, &error));
  print(other);

  char *json = wasmrt_spec_to_json(spec, &error);
  wasmrt_spec_t *again = wasmrt_spec_from_json(json, &error);
  MUST(again != NULL);
  char *same = wasmrt_spec_to_json(again, &error);
  MUST(strcmp(json, same) == 0);
  wasmrt_string_delete(json);
  wasmrt_string_delete(same);
  wasmrt_spec_delete(again);
  wasmrt_spec_delete(other);
  wasmrt_spec_delete(spec);
  return 0;
}
