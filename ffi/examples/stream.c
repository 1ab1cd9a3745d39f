/* Talks to a guest while it runs: stream MODULE passes its own input on in lines and prints what the guest answers. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <wasmrt.h>

/* Moves what there is to be read. False at the end. */
static bool pass(int from, int to) {
  char piece[4096];
  ssize_t got = read(from, piece, sizeof piece);
  for (ssize_t done = 0; done < got;) {
    ssize_t put = write(to, piece + done, (size_t)(got - done));
    if (put < 0) return false;
    done += put;
  }
  return got > 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s MODULE\n", argv[0]);
    return 2;
  }
  /* A guest that has ended reads no more: that is an error of write, not our end. */
  signal(SIGPIPE, SIG_IGN);
  wasmrt_error_t *error = NULL;
  wasmrt_runtime_t *runtime = wasmrt_runtime_new(NULL, &error);
  wasmrt_module_t *module = runtime ? wasmrt_module_from_file(argv[1], &error) : NULL;
  wasmrt_spec_t *spec = wasmrt_spec_new();
  wasmrt_run_t *run = NULL;
  if (module != NULL && wasmrt_spec_set_stdin(spec, "piped", &error) && wasmrt_spec_set_stdout(spec, "piped", &error))
    run = wasmrt_run_start(runtime, module, spec, NULL, &error);
  int code = 1;
  if (run != NULL) {
    int in = wasmrt_run_take_stdin(run);
    int out = wasmrt_run_take_stdout(run);
    struct pollfd ready[2] = {{0, POLLIN, 0}, {out, POLLIN, 0}};
    while (ready[1].fd >= 0 && poll(ready, 2, -1) > 0) {
      if (ready[0].revents != 0 && !pass(0, in)) {
        /* No more input: the guest sees its end. */
        close(in);
        in = -1;
        ready[0].fd = -1;
      }
      if (ready[1].revents != 0 && !pass(out, 1)) ready[1].fd = -1;
    }
    if (in >= 0) close(in);
    close(out);
    wasmrt_outcome_t *outcome = wasmrt_run_wait(run, &error);
    if (outcome != NULL) code = wasmrt_outcome_exit_code(outcome);
    wasmrt_outcome_delete(outcome);
  }
  if (error != NULL) {
    fprintf(stderr, "%s\n", wasmrt_error_text(error));
    code = wasmrt_error_exit_code(error);
  }
  wasmrt_error_delete(error);
  wasmrt_run_delete(run);
  wasmrt_spec_delete(spec);
  wasmrt_module_delete(module);
  wasmrt_runtime_delete(runtime);
  return code;
}
