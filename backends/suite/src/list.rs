//! The suite's tests by name: the one list that a backend's tests are expanded from, and that they are found in.

use crate::{Subject, artifacts, calls, endings, features, leaks, memories, signatures, traps};

/// Expands to one test for each of the suite's, in modules as here. Takes the path of a function without arguments that gives an
/// `Option<Subject>`; None skips everything, and is that function's to answer for.
#[macro_export]
macro_rules! suite {
    ($subject:path) => {
        $crate::each_test! { expand_tests $subject }
    };
}

/// Hands all names to another macro of this crate.
#[doc(hidden)]
#[macro_export]
macro_rules! each_test {
    ($with:ident $($more:tt)*) => {
        $crate::$with! {
            [$($more)*]
            artifacts {
                code_of_every_level_runs_from_the_descriptor_alone_wherever_it_stands
                levels_and_tiers_are_taken_or_refused_by_name
                an_existing_output_is_left_alone_and_what_fails_leaves_none
                nothing_but_the_artifact_is_left_behind
                rejected_modules_are_invalid_at_every_length
                what_is_no_artifact_is_rejected
                a_descriptor_that_comes_back_is_another_artifact
                a_module_outlives_its_engine_and_an_instance_its_module
                fingerprints_tell_apart_what_makes_other_code_and_nothing_else
                the_version_is_that_of_the_lock_file
            }
            calls {
                names_and_arguments_are_checked
                values_keep_their_bits
                globals_are_read_and_set_by_type
                instances_share_nothing
            }
            endings {
                what_ends_the_guest_in_the_host_comes_out_unchanged
                a_panic_in_the_host_is_an_ending_and_not_the_end
                endings_do_not_leak_into_later_calls
                the_start_section_sees_host_and_memory
                the_start_section_may_end_the_guest
                imports_that_do_not_fit_the_module_fail_and_run_nothing
                a_host_function_may_run_another_guest
            }
            features {
                what_is_claimed_works_and_the_rest_is_refused
                each_way_is_of_a_tier_that_is_claimed
            }
            leaks {
                thousands_of_instances_leave_nothing_behind
                thousands_of_modules_leave_nothing_behind
                neither_making_the_engine_nor_loading_starts_threads
            }
            memories {
                the_host_reads_and_writes_memory_of_its_present_size
                only_the_export_named_memory_is_shown
                all_memories_count_exported_or_not
                growth_up_to_the_maximum_and_not_beyond_is_counted
                a_guest_gets_the_whole_address_space_when_its_module_says_so
                an_import_that_is_exported_again_sees_the_memory
            }
            signatures {
                calls_arrive_in_order_with_every_bit_and_results_return_with_every_bit
                every_signature_passes_its_arguments_in_order
                more_values_than_fit_inline_cross_as_well
                several_results_cross_or_are_refused_by_name
                one_name_imported_with_two_signatures_is_two_imports_or_refused
                tail_calls_of_the_host_come_back_to_the_caller
            }
            traps {
                every_trap_has_its_kind_and_its_place
                an_instance_lives_on_after_traps
                the_innermost_frame_comes_first_and_names_are_demangled
                functions_are_counted_with_the_imports
                a_backtrace_of_many_frames_is_cut
                instantiation_traps_as_execution_does
                threads_trap_without_disturbing_each_other
            }
        }
    };
}

/// What [`suite!`] expands to.
#[doc(hidden)]
#[macro_export]
macro_rules! expand_tests {
    ([$subject:path] $($module:ident { $($test:ident)* })*) => {
        $(mod $module {
            $(#[test]
            fn $test() {
                $crate::run(concat!(stringify!($module), "::", stringify!($test)), module_path!(), $subject());
            })*
        })*
    };
}

/// The names and what they stand for, for this crate alone.
#[doc(hidden)]
#[macro_export]
macro_rules! list_tests {
    ([] $($module:ident { $($test:ident)* })*) => {
        &[$($((concat!(stringify!($module), "::", stringify!($test)), $module::$test),)*)*]
    };
}

type Test = fn(&Subject);

/// A test that is not in the list above is dead code, and said to be.
const TESTS: &[(&str, Test)] = each_test! { list_tests };

/// Runs one test. `module` is where the backend's own stands.
#[doc(hidden)]
pub fn run(test: &str, module: &str, subject: Option<Subject>) {
    let Some(subject) = subject else { return };
    let (_, work) = TESTS.iter().find(|(name, _)| *name == test).expect("the list has it");
    let (_, module) = module.split_once("::").expect("a crate and a module");
    let (_, name) = test.split_once("::").expect("a module and a name");
    work(&subject.in_test(format!("{module}::{name}")));
}
