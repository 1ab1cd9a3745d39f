//! What containers call the settings that hints name: annotations, mostly.

use crate::oci::PREFIX;
use wasmrt_model::words::Voice;
use wasmrt_model::{Error, words};

/// How servers in containers speak of themselves.
pub(crate) const VOICE: Voice = Voice { name: "wasmrt", word: annotation };

/// A text of the runtime's, in the words of annotations.
pub(crate) fn in_annotations(text: &str) -> String {
    words::in_words(text, annotation)
}

/// An error, with its hint in those words, as one line.
pub(crate) fn sentence(error: &Error) -> String {
    error.said(annotation)
}

fn annotation(setting: &str, value: Option<&str>) -> Option<String> {
    let name = match (setting, value) {
        ("entry", _) => return Some("the program's name, as FILE.wasm#EXPORT".to_owned()),
        ("address", _) => return Some("the variable PORT".to_owned()),
        ("run", _) => return Some("wasm-run run".to_owned()),
        ("serve", _) => return Some("wasm-run serve".to_owned()),
        ("clock", _) => return Some("a fixed clock".to_owned()),
        // A guest finds itself listening, and everything else stays as it was allowed.
        ("listen", Some(address)) if !address.ends_with("/udp") => {
            return Some(format!("annotation {PREFIX}network.listen={address}"));
        }
        ("connect" | "listen" | "resolve", Some(value)) => {
            return Some(format!("{setting}={value} in the annotation {PREFIX}network.allow"));
        }
        ("request_timeout", _) => "serve.request-timeout",
        ("aot" | "engine" | "fuel", _) => setting,
        _ => return None,
    };
    let value = value.map(|value| format!("={value}")).unwrap_or_default();
    Some(format!("annotation {PREFIX}{name}{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmrt_model::ErrorKind;

    #[test]
    fn every_setting_has_a_word() {
        for setting in words::SETTINGS {
            assert!(annotation(setting, Some("x")).is_some(), "{setting}");
        }
    }

    #[test]
    fn hints_speak_of_annotations() {
        let error = Error::new(ErrorKind::Unsupported, "no").with_hint("leave `aot` out, or take `engine=wasmedge`");
        let expected = "no; leave annotation wasmrt.dev/aot out, or take annotation wasmrt.dev/engine=wasmedge";
        assert_eq!(sentence(&error), expected);
        for (text, said) in [
            ("`listen=0.0.0.0:80` would", "annotation wasmrt.dev/network.listen=0.0.0.0:80 would"),
            ("`listen=0.0.0.0:80/udp` would", "listen=0.0.0.0:80/udp in the annotation wasmrt.dev/network.allow would"),
            ("`connect=1.2.3.4:80` would", "connect=1.2.3.4:80 in the annotation wasmrt.dev/network.allow would"),
        ] {
            assert_eq!(in_annotations(text), said);
        }
    }
}
