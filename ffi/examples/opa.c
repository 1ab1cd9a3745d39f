/* Asks a policy of Open Policy Agent, compiled to WebAssembly: opa POLICY INPUT [DATA] prints its answer; INPUT and DATA are JSON.
 *
 * A policy imports its memory and the functions by which it reports: opa_abort, opa_println and the calls of built-in functions that it does not
 * bring along. What goes wrong in one of these ends the policy, and arrives here as it was reported. (ABI 1.2 and later: one call of opa_eval.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmrt.h>

/* Pages of memory that a policy starts with at least. */
#define PAGES 2

/* The text at an address of the policy's: up to a zero byte, and no further than its memory. */
static const char *text_at(wasmrt_caller_t *caller, int32_t address) {
  size_t size = 0, start = (uint32_t)address;
  const uint8_t *memory = wasmrt_caller_memory(caller, &size);
  if (start >= size || memchr(memory + start, 0, size - start) == NULL) return NULL;
  return (const char *)memory + start;
}

static wasmrt_error_t *on_abort(void *data, wasmrt_caller_t *caller, const wasmrt_value_t *args, size_t args_count,
                                wasmrt_value_t *results, size_t results_count) {
  (void)data, (void)args_count, (void)results, (void)results_count;
  const char *text = text_at(caller, args[0].of.i32);
  wasmrt_error_t *error = wasmrt_error_new(WASMRT_ERROR_INVALID_MODULE, text ? text : "the policy aborted");
  wasmrt_error_set_hint(error, "the policy itself gave up");
  return error;
}

static wasmrt_error_t *on_println(void *data, wasmrt_caller_t *caller, const wasmrt_value_t *args, size_t args_count,
                                  wasmrt_value_t *results, size_t results_count) {
  (void)data, (void)args_count, (void)results, (void)results_count;
  const char *text = text_at(caller, args[0].of.i32);
  fprintf(stderr, "policy: %s\n", text ? text : "");
  return NULL;
}

/* This program has no built-in functions to offer. The code of the error is the number of the one that was wanted. */
static wasmrt_error_t *on_builtin(void *data, wasmrt_caller_t *caller, const wasmrt_value_t *args, size_t args_count,
                                  wasmrt_value_t *results, size_t results_count) {
  (void)data, (void)caller, (void)args_count, (void)results, (void)results_count;
  wasmrt_error_t *error = wasmrt_error_new(WASMRT_ERROR_UNSUPPORTED, "the policy needs a built-in function that is not here");
  wasmrt_error_set_code(error, args[0].of.i32);
  return error;
}

static wasmrt_imports_t *imports_of_policies(wasmrt_error_t **error) {
  static const char *const builtins[5] = {"opa_builtin0", "opa_builtin1", "opa_builtin2", "opa_builtin3", "opa_builtin4"};
  static const uint32_t i32s[6] = {WASMRT_I32, WASMRT_I32, WASMRT_I32, WASMRT_I32, WASMRT_I32, WASMRT_I32};
  wasmrt_imports_t *imports = wasmrt_imports_new();
  bool good = wasmrt_imports_add_memory(imports, "env", "memory", PAGES, error) &&
              wasmrt_imports_add_function(imports, "env", "opa_abort", i32s, 1, NULL, 0, on_abort, NULL, NULL, error) &&
              wasmrt_imports_add_function(imports, "env", "opa_println", i32s, 1, NULL, 0, on_println, NULL, NULL, error);
  /* Each takes its number, the policy's context, and as many values as its name says. */
  for (size_t i = 0; good && i < 5; i++)
    good = wasmrt_imports_add_function(imports, "env", builtins[i], i32s, 2 + i, i32s, 1, on_builtin, NULL, NULL, error);
  if (good) return imports;
  wasmrt_imports_delete(imports);
  return NULL;
}

/* Calls a function of the policy's that takes and returns addresses. False with an error, or with the policy's ending printed. */
static bool call(wasmrt_instance_t *policy, const char *name, const int32_t *args, size_t count, int32_t *result,
                 wasmrt_error_t **error) {
  wasmrt_value_t values[8], returned;
  for (size_t i = 0; i < count; i++) values[i] = wasmrt_i32(args[i]);
  switch (wasmrt_instance_call(policy, name, values, count, &returned, 1, error)) {
    case WASMRT_CALL_RETURNED:
      *result = returned.of.i32;
      return true;
    case WASMRT_CALL_ENDED: {
      wasmrt_outcome_t *ending = wasmrt_instance_ending(policy, NULL);
      fprintf(stderr, "the policy ended: %s\n", wasmrt_outcome_text(ending));
      wasmrt_outcome_delete(ending);
      return false;
    }
    case WASMRT_CALL_FAILED:
      break;
  }
  return false;
}

/* Puts a text into memory that the policy allocates. */
static bool put(wasmrt_instance_t *policy, const char *text, int32_t *address, wasmrt_error_t **error) {
  int32_t size = (int32_t)strlen(text);
  return call(policy, "opa_malloc", &size, 1, address, error) &&
         wasmrt_instance_memory_write(policy, NULL, (uint32_t)*address, (const uint8_t *)text, (size_t)size, error);
}

/* Asks the policy's first entry point, and prints the answer. */
static bool ask(wasmrt_instance_t *policy, const char *input, const char *data, wasmrt_error_t **error) {
  int32_t text, parsed, given, heap, answer;
  if (!put(policy, data, &text, error)) return false;
  int32_t parse[2] = {text, (int32_t)strlen(data)};
  if (!call(policy, "opa_json_parse", parse, 2, &parsed, error) || !put(policy, input, &given, error) ||
      !call(policy, "opa_heap_ptr_get", NULL, 0, &heap, error))
    return false;
  /* Reserved, entry point, data, input and its length, heap, and JSON as the format of the answer. */
  int32_t eval[7] = {0, 0, parsed, given, (int32_t)strlen(input), heap, 0};
  if (!call(policy, "opa_eval", eval, 7, &answer, error)) return false;
  size_t size = 0, start = (uint32_t)answer;
  const uint8_t *memory = wasmrt_instance_memory(policy, NULL, &size, error);
  if (memory == NULL) return false;
  const uint8_t *end = start < size ? (const uint8_t *)memchr(memory + start, 0, size - start) : NULL;
  if (end == NULL) {
    fprintf(stderr, "the policy's answer does not lie in its memory\n");
    return false;
  }
  printf("%.*s\n", (int)(end - (memory + start)), (const char *)memory + start);
  return true;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) {
    fprintf(stderr, "usage: %s POLICY INPUT [DATA]\n", argv[0]);
    return 2;
  }
  wasmrt_error_t *error = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = runtime ? wasmrt_module_from_file(argv[1], &error) : NULL;
  wasmrt_imports_t *imports = module ? imports_of_policies(&error) : NULL;
  wasmrt_spec_t *spec = wasmrt_spec_new();
  wasmrt_instance_t *policy = NULL;
  if (imports != NULL && wasmrt_spec_set_isolation(spec, "in-process", &error) &&
      wasmrt_spec_set_limit(spec, "fuel", "50000000", &error) && wasmrt_spec_set_limit(spec, "memory_bytes", "64MiB", &error))
    policy = wasmrt_instance_new(runtime, module, spec, imports, NULL, &error);
  bool good = policy != NULL && ask(policy, argv[2], argc == 4 ? argv[3] : "{}", &error);
  if (error != NULL) {
    int64_t builtin = 0;
    fprintf(stderr, "%s: %s\n", wasmrt_error_kind_name(error), wasmrt_error_text(error));
    if (wasmrt_error_code(error, &builtin)) fprintf(stderr, "built-in function %ld\n", (long)builtin);
  }
  wasmrt_error_delete(error);
  wasmrt_instance_delete(policy);
  wasmrt_spec_delete(spec);
  wasmrt_imports_delete(imports);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  return good ? 0 : 1;
}
