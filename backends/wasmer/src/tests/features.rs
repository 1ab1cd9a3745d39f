//! What only this engine claims.

use super::*;

#[test]
fn there_is_one_tier_and_it_can_be_in_process() {
    let engine = engine();
    let capabilities = engine.capabilities();
    assert_eq!(capabilities.tiers.iter().map(|tier| tier.tier).collect::<Vec<_>>(), [Tier::Baseline]);
    assert_eq!(capabilities.in_process, [Tier::Baseline]);
    assert!(capabilities.own_stack && capabilities.interrupted_by_global);
    assert!(capabilities.backtrace && !capabilities.components);
}
