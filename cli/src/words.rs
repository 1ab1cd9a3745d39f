//! What the command line calls the settings that hints name.

use wasmrt_model::words::{self, Voice};

/// How a server speaks of itself.
pub(crate) const VOICE: Voice = Voice { name: "wasm-run", word: flag };

/// A text of the runtime's, in flags.
pub(crate) fn in_flags(text: &str) -> String {
    words::in_words(text, flag)
}

fn flag(setting: &str, value: Option<&str>) -> Option<String> {
    let flag = match setting {
        "run" | "serve" => return Some(format!("'wasm-run {setting}'")),
        "listen" => return value.map(|address| format!("--net listen={address} (or -p)")),
        "connect" | "resolve" => return value.map(|value| format!("--net {setting}={value}")),
        "address" => "--addr",
        "aot" => "--aot",
        "clock" => "--clock",
        "engine" => "--engine",
        "entry" => "--invoke",
        "fuel" => "--fuel",
        "request_timeout" => "--request-timeout",
        _ => return None,
    };
    Some(value.map_or_else(|| flag.to_owned(), |value| format!("{flag} {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_flag() {
        for setting in words::SETTINGS {
            assert!(flag(setting, Some("x")).is_some(), "{setting}");
        }
        assert_eq!(
            in_flags("leave `aot` out, or take `engine=wasmedge`"),
            "leave --aot out, or take --engine wasmedge"
        );
        assert_eq!(in_flags("; `connect=[::1]:80` would"), "; --net connect=[::1]:80 would");
    }
}
