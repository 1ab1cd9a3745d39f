/* Runs: endings, waiting, cancelling, streams, places, threads. The modules are made of tests/programs/ends.wat: argv[1] is that one, argv[2] does not end. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <pthread.h>
#include <unistd.h>
#include "must.h"

static wasmrt_runtime_t *runtime;
static wasmrt_module_t *ends;

static wasmrt_spec_t *spec_of(const char *arg) {
  wasmrt_error_t *error = NULL;
  wasmrt_spec_t *spec = wasmrt_spec_new();
  const char *args[2] = {"guest", arg};
  MUST(wasmrt_spec_set_args(spec, args, 2, &error) && wasmrt_spec_set_stdin(spec, "null", &error));
  MUST(wasmrt_spec_set_stdout(spec, "capture", &error) && wasmrt_spec_set_stderr(spec, "capture", &error));
  return spec;
}

static wasmrt_outcome_t *run(const char *arg) {
  wasmrt_error_t *error = NULL;
  wasmrt_spec_t *spec = spec_of(arg);
  MUST(wasmrt_spec_set_limit(spec, "fuel", "100000", &error));
  wasmrt_outcome_t *outcome = wasmrt_run(runtime, ends, spec, NULL, &error);
  MUST(outcome != NULL);
  wasmrt_spec_delete(spec);
  return outcome;
}

/* Runs the same module many times, beside others that do. */
static void *crowd(void *data) {
  wasmrt_error_t *error = NULL;
  (void)data;
  for (int i = 0; i < 5; i++) {
    wasmrt_outcome_t *outcome = run("exit");
    MUST(wasmrt_outcome_code(outcome) == 300);
    wasmrt_outcome_delete(outcome);
  }
  return NULL;
}

static void published(void) {
  wasmrt_error_t *error = NULL;
  wasmrt_spec_t *spec = spec_of("echo");
  MUST(wasmrt_spec_set_stdin(spec, "piped", &error));
  MUST(wasmrt_spec_publish_port(spec, "127.0.0.1:0:8080", &error) && wasmrt_spec_publish_port(spec, "127.0.0.1:0:53/udp", &error));
  wasmrt_run_t *started = wasmrt_run_start(runtime, ends, spec, NULL, &error);
  MUST(started != NULL && wasmrt_run_published_port(started, 0) == 0);
  MUST(wasmrt_run_published_count(started, &error) == 2 && error == NULL);
  MUST(strcmp(wasmrt_run_published_address(started, 0), "127.0.0.1") == 0 && wasmrt_run_published_port(started, 0) != 0);
  MUST(wasmrt_run_published_guest_port(started, 0) == 8080 && strcmp(wasmrt_run_published_protocol(started, 0), "tcp") == 0);
  MUST(wasmrt_run_published_guest_port(started, 1) == 53 && strcmp(wasmrt_run_published_protocol(started, 1), "udp") == 0);
  MUST(wasmrt_run_published_address(started, 2) == NULL && wasmrt_run_published_protocol(started, 2) == NULL);
  close(wasmrt_run_take_stdin(started));
  wasmrt_outcome_delete(wasmrt_run_wait(started, &error));
  MUST(error == NULL && wasmrt_run_published_count(started, &error) == 2);
  wasmrt_run_delete(started);
  wasmrt_spec_delete(spec);
}

static void endings(void) {
  wasmrt_error_t *error = NULL;
  size_t size = 7;
  uint64_t used = 0;
  uint32_t landlock = 0;
  bool seccomp = false;
  wasmrt_outcome_t *outcome = run("exit");
  MUST(wasmrt_outcome_ending(outcome) == WASMRT_EXITED && wasmrt_outcome_code(outcome) == 300);
  MUST(wasmrt_outcome_exit_code(outcome) == 44 && !wasmrt_outcome_success(outcome));
  MUST(wasmrt_outcome_trap(outcome) == NULL && wasmrt_outcome_limit(outcome) == NULL && wasmrt_outcome_signal(outcome) == 0);
  const uint8_t *text = wasmrt_outcome_stdout(outcome, &size);
  MUST(size == 4 && memcmp(text, "out\n", 4) == 0);
  MUST(wasmrt_outcome_stderr(outcome, &size) != NULL && size == 0);
  MUST(wasmrt_outcome_os_sandbox(outcome, &landlock, &seccomp) && seccomp);
  MUST(wasmrt_outcome_usage(outcome, WASMRT_USAGE_FUEL, &used) && used > 0 && used < 100000);
  MUST(wasmrt_outcome_usage(outcome, WASMRT_USAGE_OUTPUT_BYTES, &used) && used == 4);
  MUST(wasmrt_outcome_usage(outcome, WASMRT_USAGE_MEMORY_PAGES, &used) && used == 1);
  MUST(wasmrt_outcome_usage(outcome, WASMRT_USAGE_WALL_TIME, &used) && used > 0);
  MUST(wasmrt_outcome_usage(outcome, WASMRT_USAGE_PEAK_MEMORY_BYTES, &used) && used > 65536);
  MUST(!wasmrt_outcome_usage(outcome, 1000, &used));
  char *json = wasmrt_outcome_to_json(outcome, &error);
  MUST(strstr(json, "\"code\":300") != NULL);
  wasmrt_string_delete(json);
  wasmrt_outcome_delete(outcome);

  outcome = run("trap");
  MUST(wasmrt_outcome_ending(outcome) == WASMRT_TRAPPED && strcmp(wasmrt_outcome_trap(outcome), "integer-divide-by-zero") == 0);
  MUST(wasmrt_outcome_trap_detail(outcome) != NULL && wasmrt_outcome_exit_code(outcome) == 134);
  /* Not every engine tells where. */
  if (wasmrt_outcome_frame_count(outcome) > 0) {
    MUST(strcmp(wasmrt_outcome_frame_name(outcome, 0), "divide") == 0 && wasmrt_outcome_frame_function(outcome, 0) == 4);
  }
  MUST(wasmrt_outcome_frame_name(outcome, 1000) == NULL && wasmrt_outcome_frame_function(outcome, 1000) == UINT32_MAX);
  wasmrt_outcome_delete(outcome);

  outcome = run("spin");
  MUST(wasmrt_outcome_ending(outcome) == WASMRT_LIMIT_REACHED && strcmp(wasmrt_outcome_limit(outcome), "fuel") == 0);
  MUST(wasmrt_outcome_exit_code(outcome) == 152);
  wasmrt_outcome_delete(outcome);

  const char *args[2] = {"40", "2"};
  wasmrt_spec_t *spec = wasmrt_spec_new();
  MUST(wasmrt_spec_set_entry_invoke(spec, "add", args, 2, &error));
  outcome = wasmrt_run(runtime, ends, spec, NULL, &error);
  wasmrt_value_t sum;
  MUST(wasmrt_outcome_success(outcome) && wasmrt_outcome_result_count(outcome) == 1);
  MUST(wasmrt_outcome_result(outcome, 0, &sum) && sum.type == WASMRT_I32 && sum.of.i32 == 42);
  MUST(!wasmrt_outcome_result(outcome, 1, &sum) && wasmrt_outcome_stdout(outcome, &size) == NULL && size == 0);
  MUST(!wasmrt_outcome_usage(outcome, WASMRT_USAGE_FUEL, &used));
  wasmrt_outcome_delete(outcome);
  wasmrt_spec_delete(spec);
}

static void refusals(void) {
  wasmrt_error_t *error = NULL;
  wasmrt_spec_t *spec = spec_of("exit");
  wasmrt_module_t *none = wasmrt_module_new((const uint8_t *)"\177ELF", 4, &error);
  MUST(wasmrt_module_size(none) == 4 && strlen(wasmrt_module_hash(none)) == 64);
  MUST(wasmrt_run(runtime, none, spec, NULL, &error) == NULL);
  MUST(strcmp(wasmrt_error_kind_name(error), "not-wasm") == 0 && wasmrt_error_exit_code(error) == 126);
  FAILED(WASMRT_ERROR_NOT_WASM);
  wasmrt_module_delete(none);
  MUST(wasmrt_module_from_file("/nowhere/to/be/found", &error) == NULL);
  MUST(wasmrt_error_context_count(error) == 1 && strcmp(wasmrt_error_context_key(error, 0), "path") == 0);
  MUST(strcmp(wasmrt_error_context_value(error, 0), "/nowhere/to/be/found") == 0 && wasmrt_error_context_key(error, 1) == NULL);
  MUST(strcmp(wasmrt_error_operation(error), "read module") == 0);
  char *json = wasmrt_error_to_json(error, NULL);
  MUST(strstr(json, "\"kind\":\"not-found\"") != NULL);
  wasmrt_string_delete(json);
  FAILED(WASMRT_ERROR_NOT_FOUND);
  /* A pipe without another end would keep the guest waiting for ever. */
  MUST(wasmrt_spec_set_stdin(spec, "piped", &error));
  MUST(wasmrt_run(runtime, ends, spec, NULL, &error) == NULL);
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(wasmrt_spec_set_stdin(spec, "null", &error) && wasmrt_spec_set_isolation(spec, "in-process", &error));
  MUST(wasmrt_run(runtime, ends, spec, NULL, &error) == NULL);
  FAILED(WASMRT_ERROR_UNSUPPORTED);
  wasmrt_spec_delete(spec);
}

static void waiting(wasmrt_module_t *endless) {
  wasmrt_error_t *error = NULL;
  wasmrt_outcome_t *outcome = NULL;
  wasmrt_run_t *long_run = wasmrt_run_start(runtime, endless, NULL, NULL, &error);
  MUST(long_run != NULL);
  MUST(wasmrt_run_wait_timeout(long_run, 0, &outcome, &error) == WASMRT_RUN_GOES_ON && outcome == NULL && error == NULL);
  wasmrt_run_cancel(long_run);
  struct pollfd ended = {wasmrt_run_descriptor(long_run), POLLIN, 0};
  MUST(poll(&ended, 1, 20000) == 1);
  MUST(wasmrt_run_wait_timeout(long_run, 0, &outcome, &error) == WASMRT_RUN_FAILED && outcome == NULL);
  FAILED(WASMRT_ERROR_CANCELLED);
  wasmrt_run_delete(long_run);

  wasmrt_spec_t *spec = spec_of("exit");
  wasmrt_run_t *short_run = wasmrt_run_start(runtime, ends, spec, NULL, &error);
  MUST(wasmrt_run_wait_timeout(short_run, 60000, &outcome, &error) == WASMRT_RUN_ENDED);
  MUST(wasmrt_outcome_code(outcome) == 300);
  wasmrt_outcome_delete(outcome);
  MUST(wasmrt_run_wait(short_run, &error) == NULL);
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  wasmrt_run_delete(short_run);

  /* One that is deleted before its end is ended. */
  wasmrt_run_delete(wasmrt_run_start(runtime, endless, NULL, NULL, &error));
  wasmrt_spec_delete(spec);
}

static void streams(void) {
  wasmrt_error_t *error = NULL;
  int in[2], out[2];
  MUST(pipe(in) == 0 && pipe(out) == 0);
  wasmrt_spec_t *spec = spec_of("echo");
  wasmrt_streams_t *given = wasmrt_streams_new();
  MUST(wasmrt_spec_set_stdin(spec, "piped", &error) && wasmrt_spec_set_stdout(spec, "piped", &error));
  MUST(wasmrt_streams_set_stdin(given, in[0], &error) && wasmrt_streams_set_stdout(given, out[1], &error));
  MUST(!wasmrt_streams_set_stderr(given, -1, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(!wasmrt_streams_set_stderr(given, 1000000, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  wasmrt_run_t *echo = wasmrt_run_start(runtime, ends, spec, given, &error);
  MUST(echo != NULL && wasmrt_run_take_stdin(echo) == -1 && wasmrt_run_take_stdout(echo) == -1);
  wasmrt_streams_delete(given);
  close(in[0]), close(out[1]);
  char answer[5];
  MUST(write(in[1], "ping", 4) == 4 && read(out[0], answer, 5) == 4 && memcmp(answer, "ping", 4) == 0);
  close(in[1]);
  MUST(read(out[0], answer, 5) == 0);
  close(out[0]);
  wasmrt_outcome_t *outcome = wasmrt_run_wait(echo, &error);
  MUST(wasmrt_outcome_success(outcome));
  wasmrt_outcome_delete(outcome);
  wasmrt_run_delete(echo);

  echo = wasmrt_run_start(runtime, ends, spec, NULL, &error);
  int to = wasmrt_run_take_stdin(echo), from = wasmrt_run_take_stdout(echo);
  MUST(to >= 0 && from >= 0 && wasmrt_run_take_stdin(echo) == -1 && wasmrt_run_take_stderr(echo) == -1);
  MUST(write(to, "pong", 4) == 4 && read(from, answer, 5) == 4 && memcmp(answer, "pong", 4) == 0);
  close(to), close(from);
  outcome = wasmrt_run_wait(echo, &error);
  MUST(outcome != NULL);
  wasmrt_outcome_delete(outcome);
  wasmrt_run_delete(echo);
  wasmrt_spec_delete(spec);
}

/* A runtime with room for one run and none that wait, under a ceiling. */
static void configured(wasmrt_module_t *endless) {
  wasmrt_error_t *error = NULL;
  wasmrt_config_t *config = wasmrt_config_new();
  MUST(wasmrt_config_set_max_runs(config, 1, &error) && wasmrt_config_set_queue(config, 0, &error));
  MUST(!wasmrt_config_set_max_runs(config, 0, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(wasmrt_config_set_ceiling_json(config, "{\"limits\": {\"memory_bytes\": \"1MiB\"}, \"network\": false}", &error));
  MUST(!wasmrt_config_set_ceiling_json(config, "{\"limit\": 1}", &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(wasmrt_config_set_cache_bytes(config, 1 << 30, &error) && wasmrt_config_set_worker(config, NULL, &error));
  wasmrt_runtime_t *small = wasmrt_runtime_new(config, &error);
  wasmrt_run_t *first = wasmrt_run_start(small, endless, NULL, NULL, &error);
  MUST(first != NULL && wasmrt_run_start_within(small, ends, NULL, NULL, 0, &error) == NULL);
  FAILED(WASMRT_ERROR_BUSY);
  char *status = wasmrt_runtime_status_json(small, &error);
  MUST(strstr(status, "\"running\":1") != NULL);
  wasmrt_string_delete(status);
  wasmrt_run_delete(first);
  wasmrt_spec_t *spec = spec_of("exit");
  MUST(wasmrt_spec_set_limit(spec, "memory_bytes", "2MiB", &error));
  MUST(wasmrt_run(small, ends, spec, NULL, &error) == NULL);
  FAILED(WASMRT_ERROR_DENIED);
  wasmrt_spec_delete(spec);
  wasmrt_runtime_close(small);
  MUST(wasmrt_run(small, ends, NULL, NULL, &error) == NULL);
  FAILED(WASMRT_ERROR_CANCELLED);
  wasmrt_runtime_delete(small);

  MUST(wasmrt_config_set_worker(config, "/nowhere/wasmrt-worker", &error));
  small = wasmrt_runtime_new(config, &error);
  MUST(wasmrt_run(small, ends, NULL, NULL, &error) == NULL);
  FAILED(WASMRT_ERROR_NOT_FOUND);
  wasmrt_runtime_delete(small);
  MUST(wasmrt_config_set_cache_directory(config, NULL, &error));
  wasmrt_config_delete(config);
}

static void asked(void) {
  wasmrt_error_t *error = NULL;
  MUST(strcmp(wasmrt_version(), WASMRT_VERSION) == 0);
  char *json = wasmrt_runtime_engines_json(runtime, &error);
  MUST(json != NULL && strstr(json, "\"name\":\"wasmtime\"") != NULL && strstr(json, "\"capabilities\"") != NULL);
  wasmrt_string_delete(json);
  json = wasmrt_runtime_inspect_json(runtime, ends, &error);
  MUST(json != NULL && strstr(json, "\"_start\"") != NULL);
  wasmrt_string_delete(json);
  wasmrt_spec_t *spec = wasmrt_spec_new();
  MUST(wasmrt_spec_set_engine(spec, "wasmtime", &error) && wasmrt_runtime_preload(runtime, ends, spec, &error));
  json = wasmrt_runtime_compile_json(runtime, ends, spec, &error);
  MUST(json != NULL && strstr(json, "\"code_bytes\"") != NULL);
  wasmrt_string_delete(json);
  wasmrt_spec_delete(spec);
}

int main(int argc, char **argv) {
  wasmrt_error_t *error = NULL;
  MUST(argc == 3);
  runtime = wasmrt_runtime_new(NULL, &error);
  ends = wasmrt_module_from_file(argv[1], &error);
  wasmrt_module_t *endless = wasmrt_module_from_file(argv[2], &error);
  MUST(runtime != NULL && ends != NULL && endless != NULL);
  asked();
  endings();
  published();
  refusals();
  waiting(endless);
  streams();
  configured(endless);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) MUST(pthread_create(&threads[i], NULL, crowd, NULL) == 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  wasmrt_module_delete(endless);
  wasmrt_module_delete(ends);
  wasmrt_runtime_delete(runtime);
  puts("well");
  return 0;
}
