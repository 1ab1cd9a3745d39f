/* Prints the engines that run guests in this process. */
#include "must.h"

int main(int argc, char **argv) {
  wasmrt_error_t *error = NULL;
  MUST(argc == 2);
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = wasmrt_module_from_file(argv[1], &error);
  const char *engines[2] = {"wasmtime", "wasmedge"};
  for (int i = 0; i < 2; i++) {
    wasmrt_spec_t *spec = wasmrt_spec_new();
    MUST(wasmrt_spec_set_isolation(spec, "in-process", &error) && wasmrt_spec_set_engine(spec, engines[i], &error));
    wasmrt_instance_t *instance = wasmrt_instance_new(runtime, module, spec, NULL, NULL, &error);
    if (instance != NULL)
      puts(engines[i]);
    else
      FAILED(WASMRT_ERROR_ENGINE_UNAVAILABLE);
    wasmrt_instance_delete(instance);
    wasmrt_spec_delete(spec);
  }
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  return 0;
}
