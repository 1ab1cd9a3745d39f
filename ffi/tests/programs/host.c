/* Instances: calls, host functions, memory, limits of calls, resets. The module is tests/programs/host.wat. */
#include <pthread.h>
#include "must.h"

static int finalized = 0;
static wasmrt_instance_t *self = NULL;

static void finalize(void *data) {
  *(int *)data += 1;
  finalized++;
}

/* Adds all up, and leaves a mark in the guest's memory. */
static wasmrt_error_t *mix(void *data, wasmrt_caller_t *caller, const wasmrt_value_t *args, size_t args_count,
                           wasmrt_value_t *results, size_t results_count) {
  wasmrt_error_t *error = NULL;
  (void)data;
  MUST(args_count == 4 && results_count == 1 && results[0].type == WASMRT_F64 && results[0].of.f64 == 0);
  MUST(args[0].type == WASMRT_I32 && args[1].type == WASMRT_I64 && args[2].type == WASMRT_F32 && args[3].type == WASMRT_F64);
  size_t size = 0;
  MUST(wasmrt_caller_memory(caller, &size) != NULL && size == 65536);
  MUST(wasmrt_caller_memory_write(caller, 65532, (const uint8_t *)"mark", 4, &error));
  MUST(!wasmrt_caller_memory_write(caller, 65533, (const uint8_t *)"mark", 4, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  uint8_t back[4];
  MUST(wasmrt_caller_memory_read(caller, 65532, back, 4, &error) && memcmp(back, "mark", 4) == 0);
  MUST(!wasmrt_caller_memory_read(caller, UINT64_MAX, back, 4, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  results[0].of.f64 = args[0].of.i32 + (double)args[1].of.i64 + args[2].of.f32 + args[3].of.f64;
  return NULL;
}

/* Reports what it is told to. */
static wasmrt_error_t *fail(void *data, wasmrt_caller_t *caller, const wasmrt_value_t *args, size_t args_count,
                            wasmrt_value_t *results, size_t results_count) {
  (void)data, (void)caller, (void)args_count, (void)results, (void)results_count;
  wasmrt_error_t *error = wasmrt_error_new(WASMRT_ERROR_NOT_FOUND, "no such row");
  MUST(wasmrt_error_set_hint(error, "make one first") && wasmrt_error_set_code(error, args[0].of.i32));
  return error;
}

/* Tries what no host function may: to use the guest that calls it. */
static wasmrt_error_t *again(void *data, wasmrt_caller_t *caller, const wasmrt_value_t *args, size_t args_count,
                             wasmrt_value_t *results, size_t results_count) {
  wasmrt_error_t *error = NULL;
  (void)data, (void)caller, (void)args, (void)args_count, (void)results, (void)results_count;
  MUST(wasmrt_instance_call(self, "two", NULL, 0, NULL, 0, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  wasmrt_value_t two[2];
  MUST(wasmrt_instance_call(self, "two", NULL, 0, two, 2, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_BUSY);
  MUST(!wasmrt_instance_reset(self, &error));
  FAILED(WASMRT_ERROR_BUSY);
  MUST(wasmrt_instance_memory(self, NULL, NULL, &error) == NULL);
  FAILED(WASMRT_ERROR_BUSY);
  return NULL;
}

/* Returns a value of another type than it said. */
static wasmrt_error_t *lie(void *data, wasmrt_caller_t *caller, const wasmrt_value_t *args, size_t args_count,
                           wasmrt_value_t *results, size_t results_count) {
  (void)data, (void)caller, (void)args, (void)args_count, (void)results_count;
  results[0] = wasmrt_f32(1);
  return NULL;
}

/* Calls what does not return, until somebody ends it. */
static void *spin(void *data) {
  wasmrt_error_t *error = NULL;
  /* The other thread may be in it. */
  do {
    wasmrt_error_delete(error);
    MUST(wasmrt_instance_call((wasmrt_instance_t *)data, "spin", NULL, 0, NULL, 0, &error) == WASMRT_CALL_FAILED);
  } while (wasmrt_error_kind(error) == WASMRT_ERROR_BUSY);
  FAILED(WASMRT_ERROR_CANCELLED);
  return NULL;
}

/* While one thread is in an instance others are refused, and can end what it does. */
static void crowd(wasmrt_instance_t *instance) {
  wasmrt_error_t *error = NULL;
  wasmrt_value_t two[2];
  pthread_t thread;
  wasmrt_cancel_t *cancel = wasmrt_instance_cancel_handle(instance, &error);
  MUST(cancel != NULL && !wasmrt_cancel(cancel));
  MUST(pthread_create(&thread, NULL, spin, instance) == 0);
  while (wasmrt_instance_call(instance, "two", NULL, 0, two, 2, &error) == WASMRT_CALL_RETURNED) continue;
  FAILED(WASMRT_ERROR_BUSY);
  MUST(wasmrt_instance_ending(instance, &error) == NULL);
  FAILED(WASMRT_ERROR_BUSY);
  while (!wasmrt_cancel(cancel)) continue;
  pthread_join(thread, NULL);
  MUST(wasmrt_instance_is_spent(instance) && wasmrt_instance_reset(instance, &error));
  wasmrt_cancel_delete(cancel);
}

static void add(wasmrt_imports_t *imports, const char *name, const uint32_t *params, size_t params_count,
                const uint32_t *results, size_t results_count, wasmrt_host_function_t function, int *data) {
  wasmrt_error_t *error = NULL;
  MUST(wasmrt_imports_add_function(imports, "env", name, params, params_count, results, results_count, function, data,
                                   finalize, &error));
}

int main(int argc, char **argv) {
  wasmrt_error_t *error = NULL;
  MUST(argc == 3);
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = wasmrt_module_from_file(argv[1], &error);
  MUST(module != NULL);
  wasmrt_spec_t *spec = wasmrt_spec_new();
  MUST(wasmrt_spec_set_isolation(spec, "in-process", &error) && wasmrt_spec_set_engine(spec, argv[2], &error));
  MUST(wasmrt_spec_set_limit(spec, "fuel", "1000000000000", &error) && wasmrt_spec_set_limit(spec, "wall_time", "60s", &error));
  MUST(wasmrt_spec_set_stdout(spec, "capture", &error));

  /* What is missing is named, and what was given is finalized even where it is refused. */
  MUST(wasmrt_instance_new(runtime, module, spec, NULL, NULL, &error) == NULL);
  MUST(strstr(wasmrt_error_text(error), "env") != NULL);
  FAILED(WASMRT_ERROR_MISSING_IMPORTS);
  int uses[5] = {0, 0, 0, 0, 0};
  wasmrt_imports_t *imports = wasmrt_imports_new();
  const uint32_t wrong[1] = {17};
  MUST(!wasmrt_imports_add_function(imports, "env", "x", wrong, 1, NULL, 0, mix, &uses[4], finalize, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(!wasmrt_imports_add_function(imports, "env", "x", NULL, 0, NULL, 0, NULL, &uses[4], finalize, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(uses[4] == 2 && finalized == 2);

  const uint32_t four[4] = {WASMRT_I32, WASMRT_I64, WASMRT_F32, WASMRT_F64};
  add(imports, "mix", four, 4, &four[3], 1, mix, &uses[0]);
  add(imports, "fail", four, 1, NULL, 0, fail, &uses[1]);
  add(imports, "again", NULL, 0, NULL, 0, again, &uses[2]);
  add(imports, "lie", NULL, 0, four, 1, lie, &uses[3]);
  wasmrt_instance_t *instance = wasmrt_instance_new(runtime, module, spec, imports, NULL, &error);
  MUST(instance != NULL);
  wasmrt_instance_t *second = wasmrt_instance_new(runtime, module, spec, imports, NULL, &error);
  MUST(second != NULL);
  wasmrt_imports_delete(imports);
  wasmrt_spec_delete(spec);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  MUST(finalized == 2);
  self = instance;

  wasmrt_value_t args[4] = {wasmrt_i32(-1), wasmrt_i64(INT64_C(1) << 40), wasmrt_f32(0.5F), wasmrt_f64(0.25)};
  wasmrt_value_t result[2];
  MUST(wasmrt_instance_call(instance, "mix", args, 4, result, 1, &error) == WASMRT_CALL_RETURNED);
  MUST(result[0].type == WASMRT_F64 && result[0].of.f64 == 1099511627775.75);
  MUST(wasmrt_instance_call(instance, "two", NULL, 0, result, 2, &error) == WASMRT_CALL_RETURNED);
  MUST(result[0].type == WASMRT_I32 && result[0].of.i32 == -7 && result[1].type == WASMRT_I64 && result[1].of.i64 == INT64_MIN);
  MUST(wasmrt_instance_call(instance, "again", NULL, 0, NULL, 0, &error) == WASMRT_CALL_RETURNED);
  MUST(wasmrt_instance_call(instance, "hello", NULL, 0, NULL, 0, &error) == WASMRT_CALL_RETURNED);
  wasmrt_bytes_t *written = wasmrt_instance_take_stdout(instance, &error);
  MUST(wasmrt_bytes_size(written) == 6 && memcmp(wasmrt_bytes_data(written), "hello\n", 6) == 0);
  wasmrt_bytes_delete(written);
  written = wasmrt_instance_take_stdout(instance, &error);
  MUST(wasmrt_bytes_size(written) == 0 && wasmrt_bytes_data(written) != NULL);
  wasmrt_bytes_delete(written);
  MUST(wasmrt_instance_take_stderr(instance, &error) == NULL && error == NULL);

  /* What is wrong with a call is said before the guest runs. */
  MUST(wasmrt_instance_call(instance, "mix", args, 3, result, 1, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(wasmrt_instance_call(instance, "mix", args, 4, NULL, 0, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  wasmrt_value_t odd = wasmrt_i32(1);
  odd.type = 99;
  MUST(wasmrt_instance_call(instance, "fail", &odd, 1, NULL, 0, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(wasmrt_instance_call(instance, "nothing", NULL, 0, NULL, 0, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_MISSING_EXPORT);
  MUST(!wasmrt_instance_is_spent(instance));
  MUST(wasmrt_instance_ending(instance, &error) == NULL && error == NULL);

  /* Memory, checked and all of it. */
  uint8_t bytes[4];
  MUST(wasmrt_instance_memory_read(instance, NULL, 65532, bytes, 4, &error) && memcmp(bytes, "mark", 4) == 0);
  MUST(wasmrt_instance_memory_write(instance, "memory", 8, (const uint8_t *)"abcd", 4, &error));
  size_t size = 0;
  uint8_t *memory = wasmrt_instance_memory(instance, NULL, &size, &error);
  MUST(memory != NULL && size == 65536 && memcmp(memory + 8, "abcd", 4) == 0);
  MUST(!wasmrt_instance_memory_read(instance, NULL, 65533, bytes, 4, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(!wasmrt_instance_memory_write(instance, NULL, UINT64_MAX, bytes, 4, &error));
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(wasmrt_instance_memory(instance, "other", &size, &error) == NULL);
  FAILED(WASMRT_ERROR_MISSING_EXPORT);

  crowd(instance);

  /* What a host function reports arrives as it is. */
  wasmrt_value_t row = wasmrt_i32(-42);
  MUST(wasmrt_instance_call(instance, "fail", &row, 1, NULL, 0, &error) == WASMRT_CALL_FAILED);
  int64_t code = 0;
  MUST(wasmrt_error_kind(error) == WASMRT_ERROR_NOT_FOUND && strcmp(wasmrt_error_message(error), "no such row") == 0);
  MUST(strcmp(wasmrt_error_hint(error), "make one first") == 0 && wasmrt_error_code(error, &code) && code == -42);
  FAILED(WASMRT_ERROR_NOT_FOUND);
  MUST(wasmrt_instance_is_spent(instance) && !wasmrt_instance_is_spent(second));
  MUST(wasmrt_instance_call(instance, "two", NULL, 0, result, 2, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_INVALID_INPUT);
  MUST(wasmrt_instance_ending(instance, &error) == NULL);
  FAILED(WASMRT_ERROR_NOT_FOUND);
  MUST(wasmrt_instance_reset(instance, &error) && !wasmrt_instance_is_spent(instance));
  MUST(wasmrt_instance_memory_read(instance, NULL, 8, bytes, 4, &error) && memcmp(bytes, "\0\0\0\0", 4) == 0);
  MUST(wasmrt_instance_call(instance, "lie", NULL, 0, result, 1, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_INVALID_INPUT);

  /* Traps and limits are endings, no errors. */
  MUST(wasmrt_instance_reset(instance, &error));
  MUST(wasmrt_instance_call(instance, "trap", NULL, 0, NULL, 0, &error) == WASMRT_CALL_ENDED && error == NULL);
  wasmrt_outcome_t *ending = wasmrt_instance_ending(instance, &error);
  MUST(wasmrt_outcome_ending(ending) == WASMRT_TRAPPED && strcmp(wasmrt_outcome_trap(ending), "unreachable") == 0);
  MUST(wasmrt_outcome_exit_code(ending) == 134 && strcmp(wasmrt_outcome_engine(ending), argv[2]) == 0);
  MUST(!wasmrt_outcome_os_sandbox(ending, NULL, NULL));
  wasmrt_outcome_delete(ending);
  MUST(wasmrt_instance_reset(instance, &error));
  wasmrt_call_usage_t usage;
  MUST(wasmrt_instance_call_within(instance, "two", NULL, 0, result, 2, 1000, WASMRT_UNSET, &usage, &error) == WASMRT_CALL_RETURNED);
  MUST(usage.fuel > 0 && usage.fuel < 1000 && usage.wall_time > 0 && usage.wall_time != WASMRT_UNSET);
  MUST(wasmrt_instance_call_within(instance, "two", NULL, 0, result, 2, UINT64_C(1000000000001), WASMRT_UNSET, NULL, &error) == WASMRT_CALL_FAILED);
  FAILED(WASMRT_ERROR_DENIED);
  MUST(wasmrt_instance_call_within(instance, "spin", NULL, 0, NULL, 0, 1000, WASMRT_UNSET, &usage, &error) == WASMRT_CALL_ENDED);
  MUST(usage.fuel >= 1000);
  ending = wasmrt_instance_ending(instance, &error);
  MUST(wasmrt_outcome_ending(ending) == WASMRT_LIMIT_REACHED && strcmp(wasmrt_outcome_limit(ending), "fuel") == 0);
  wasmrt_outcome_delete(ending);

  char *exports = wasmrt_instance_exports_json(instance, &error);
  MUST(strstr(exports, "\"mix\"") != NULL);
  wasmrt_string_delete(exports);
  MUST(wasmrt_instance_tier(instance) != NULL && strcmp(wasmrt_instance_engine(instance), argv[2]) == 0);

  /* What goes with host functions goes with the last instance that has them. */
  wasmrt_instance_delete(instance);
  MUST(finalized == 2);
  MUST(wasmrt_instance_call(second, "mix", args, 4, result, 1, &error) == WASMRT_CALL_RETURNED);
  wasmrt_instance_delete(second);
  MUST(finalized == 6 && uses[0] == 1 && uses[1] == 1 && uses[2] == 1 && uses[3] == 1);
  puts("well");
  return 0;
}
