/* Runs a program that nobody trusts, under limits: untrusted MODULE [DIRECTORY] tells how it ended, what it wrote and what it used. */
#include <inttypes.h>
#include <stdio.h>
#include <wasmrt.h>

static bool limit(wasmrt_spec_t *spec, wasmrt_error_t **error) {
  return wasmrt_spec_set_limit(spec, "memory_bytes", "64MiB", error) &&
         wasmrt_spec_set_limit(spec, "fuel", "100000000", error) &&
         wasmrt_spec_set_limit(spec, "wall_time", "2s", error) &&
         wasmrt_spec_set_limit(spec, "output_bytes", "1MiB", error);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s MODULE [DIRECTORY]\n", argv[0]);
    return 2;
  }
  wasmrt_error_t *error = NULL;
  wasmrt_outcome_t *outcome = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = runtime ? wasmrt_module_from_file(argv[1], &error) : NULL;
  wasmrt_spec_t *spec = wasmrt_spec_new();
  const char *args[1] = {"guest"};
  bool ready = module != NULL && limit(spec, &error) && wasmrt_spec_set_args(spec, args, 1, &error) &&
               wasmrt_spec_set_env(spec, "LANG", "C.UTF-8", &error) && wasmrt_spec_set_stdin(spec, "null", &error) &&
               wasmrt_spec_set_stdout(spec, "capture", &error) && wasmrt_spec_set_stderr(spec, "capture", &error) &&
               (argc < 3 || wasmrt_spec_add_preopen(spec, argv[2], "/data", "ro", &error));
  if (ready) outcome = wasmrt_run(runtime, module, spec, NULL, &error);
  int code = 1;
  if (outcome != NULL) {
    size_t size = 0;
    const uint8_t *text = wasmrt_outcome_stdout(outcome, &size);
    fwrite(text, 1, size, stdout);
    fprintf(stderr, "%s on %s, %s\n", wasmrt_outcome_text(outcome), wasmrt_outcome_engine(outcome),
            wasmrt_outcome_tier(outcome));
    for (size_t i = 0; i < wasmrt_outcome_frame_count(outcome); i++) {
      const char *name = wasmrt_outcome_frame_name(outcome, i);
      fprintf(stderr, "  at function %" PRIu32 " %s\n", wasmrt_outcome_frame_function(outcome, i), name ? name : "");
    }
    uint64_t used = 0;
    if (wasmrt_outcome_usage(outcome, WASMRT_USAGE_FUEL, &used)) fprintf(stderr, "fuel %" PRIu64 "\n", used);
    for (size_t i = 0; i < wasmrt_outcome_refusal_count(outcome); i++)
      fprintf(stderr, "refused: %s\n", wasmrt_outcome_refusal(outcome, i));
    code = wasmrt_outcome_exit_code(outcome);
  }
  if (error != NULL) {
    fprintf(stderr, "%s: %s\n", wasmrt_error_kind_name(error), wasmrt_error_text(error));
    code = wasmrt_error_exit_code(error);
  }
  wasmrt_error_delete(error);
  wasmrt_outcome_delete(outcome);
  wasmrt_spec_delete(spec);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  return code;
}
