//! What only this engine claims.

use super::*;

#[test]
fn there_is_one_tier_and_none_in_process() {
    let engine = engine();
    let capabilities = engine.capabilities();
    assert_eq!(capabilities.tiers.iter().map(|tier| tier.tier).collect::<Vec<_>>(), [Tier::Baseline]);
    assert!(capabilities.in_process.is_empty() && capabilities.own_stack);
    assert!(capabilities.backtrace && !capabilities.components);
}
