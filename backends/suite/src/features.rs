//! What the capabilities claim is what works, in every way of running; and what they do not claim is refused, without a panic.

use crate::programs::{needs, programs};
use crate::subject::Way;
use crate::{Subject, i32s, wasm};
use wasmrt_model::{ErrorKind, Feature, Tier};

pub(crate) fn what_is_claimed_works_and_the_rest_is_refused(subject: &Subject) {
    for feature in Feature::ALL.iter().copied() {
        assert!(!programs(feature).is_empty(), "{feature} is not tried");
        for way in subject.ways() {
            if subject.features(way).contains(feature) {
                for text in programs(feature) {
                    if subject.differs.gaps.iter().any(|gap| text.contains(gap)) {
                        assert!(subject.load(&wasm(text), way).is_err(), "{way}: {feature}: no gap any more: {text}");
                        continue;
                    }
                    let result = subject.guest(text, way).call("run", &[]);
                    let result = result.unwrap_or_else(|ending| panic!("{way}: {feature}: {ending:?}: {text}"));
                    assert_eq!(result, i32s(&[42]), "{way}: {feature}: {text}");
                }
                continue;
            }
            let refusal = match way {
                Way::Wasm => ErrorKind::InvalidModule,
                Way::Artifact(_) => subject.differs.uncompilable,
            };
            let error = subject.load(&wasm(needs(feature)), way).err();
            assert_eq!(error.map(|error| error.kind()), Some(refusal), "{way}: {feature}: is it there after all?");
            let refused = programs(feature)
                .iter()
                .filter(|text| subject.load(&wasm(text), way).is_err_and(|error| error.kind() == refusal));
            assert!(refused.count() > 0, "{way}: {feature}: is it there after all?");
        }
    }
}

pub(crate) fn each_way_is_of_a_tier_that_is_claimed(subject: &Subject) {
    let capabilities = subject.capabilities();
    let tiers: Vec<_> = capabilities.tiers.iter().map(|tier| tier.tier).collect();
    assert!(tiers.is_sorted() && subject.native().next().is_some(), "{tiers:?}");
    for tier in [Tier::Interpreter, Tier::Baseline, Tier::Optimized] {
        assert_eq!(capabilities.features(tier).is_some(), tiers.contains(&tier), "{tier}");
        assert!(tiers.contains(&tier) || !capabilities.in_process.contains(&tier), "{tier}");
    }
}
