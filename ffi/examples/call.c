/* Calls a function that a module exports: call MODULE A B prints the sum that its function "add" returns. */
#include <stdio.h>
#include <stdlib.h>
#include <wasmrt.h>

static int fail(wasmrt_error_t *error) {
  fprintf(stderr, "%s\n", wasmrt_error_text(error));
  int code = wasmrt_error_exit_code(error);
  wasmrt_error_delete(error);
  return code;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s MODULE A B\n", argv[0]);
    return 2;
  }
  wasmrt_error_t *error = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = runtime ? wasmrt_module_from_file(argv[1], &error) : NULL;
  wasmrt_instance_t *instance = module ? wasmrt_instance_new(runtime, module, NULL, NULL, NULL, &error) : NULL;
  int code = 1;
  if (instance != NULL) {
    wasmrt_value_t args[2] = {wasmrt_i32(atoi(argv[2])), wasmrt_i32(atoi(argv[3]))};
    wasmrt_value_t sum;
    switch (wasmrt_instance_call(instance, "add", args, 2, &sum, 1, &error)) {
      case WASMRT_CALL_RETURNED:
        printf("%d\n", sum.of.i32);
        code = 0;
        break;
      case WASMRT_CALL_ENDED: {
        /* The guest exited, trapped or ran into a limit. */
        wasmrt_outcome_t *outcome = wasmrt_instance_ending(instance, NULL);
        fprintf(stderr, "%s\n", wasmrt_outcome_text(outcome));
        code = wasmrt_outcome_exit_code(outcome);
        wasmrt_outcome_delete(outcome);
        break;
      }
      case WASMRT_CALL_FAILED:
        break;
    }
  }
  if (error != NULL) code = fail(error);
  wasmrt_instance_delete(instance);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  return code;
}
