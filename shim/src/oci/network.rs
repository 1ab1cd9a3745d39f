//! Which of the operator's network rules are a container's: those for a network namespace of its own, or those for the host's.

use super::annotations::Annotations;
use super::config::Settings;
use oci_spec::runtime::{LinuxNamespaceType, Spec};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use wasmrt_model::NetworkPolicy;

/// Network namespaces that are the host's: that of its first process, and that of the shim.
const HOST: &[&str] = &["/proc/1/ns/net", "/proc/self/ns/net"];

/// What the guest may reach. An annotation takes the place of the config's rules; whether there may be any is the ceiling's.
pub(super) fn policy(spec: &Spec, annotations: &Annotations, settings: &Settings) -> NetworkPolicy {
    let allow = match &annotations.network {
        Some(rules) => rules.clone(),
        // Rules that nobody has asked for by name do not run into the ceiling; they are lowered to it.
        None if !settings.ceiling.network => Vec::new(),
        None if has_own_namespace(spec) => settings.own_namespace.clone(),
        None => settings.host_namespace.clone(),
    };
    NetworkPolicy { allow, publish: annotations.listen.clone() }
}

fn has_own_namespace(spec: &Spec) -> bool {
    let namespaces = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
    let network = namespaces.into_iter().flatten().find(|namespace| namespace.typ() == LinuxNamespaceType::Network);
    network.is_some_and(|network| network.path().as_deref().is_none_or(|path| !may_be_the_hosts(path)))
}

/// Containers of a pod join a namespace by its path, also when the pod is on the host's network. What cannot be looked at may be the host's.
fn may_be_the_hosts(path: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()));
    let Ok(its) = identity(path) else { return true };
    HOST.iter().any(|host| identity(Path::new(host)).is_ok_and(|host| host == its))
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::super::specs;
    use super::*;
    use serde_json::json;
    use wasmrt_model::EngineChoice;

    fn rules(spec: &Spec, config: &str, annotation: Option<&str>) -> Vec<String> {
        let settings = Config::parse(config, Path::new("config.toml")).unwrap().settings(EngineChoice::Auto);
        let network = annotation.map(|text| text.split(',').map(|rule| rule.parse().unwrap()).collect());
        let annotations = Annotations { network, ..Annotations::default() };
        policy(spec, &annotations, &settings).allow.iter().map(ToString::to_string).collect()
    }

    fn in_namespace(namespaces: serde_json::Value) -> Spec {
        specs::from(specs::ctr(), |spec| spec["linux"]["namespaces"] = namespaces)
    }

    #[test]
    fn a_namespace_of_its_own_is_one_without_a_path_or_with_one_that_is_not_the_hosts() {
        let config = "network.own_namespace = ['connect=*']\nnetwork.host_namespace = ['resolve=*']";
        let elsewhere = tempfile::NamedTempFile::new().unwrap();
        for (namespaces, expected) in [
            (json!([{ "type": "pid" }, { "type": "network" }]), "connect=*"),
            (json!([{ "type": "network", "path": elsewhere.path() }]), "connect=*"),
            (json!([{ "type": "pid" }]), "resolve=*"),
            (json!([]), "resolve=*"),
            (json!([{ "type": "network", "path": "/proc/self/ns/net" }]), "resolve=*"),
            (json!([{ "type": "network", "path": format!("/proc/{}/ns/net", std::process::id()) }]), "resolve=*"),
            (json!([{ "type": "network", "path": "/run/netns/is-not-there" }]), "resolve=*"),
        ] {
            assert_eq!(rules(&in_namespace(namespaces.clone()), config, None), [expected], "{namespaces}");
        }
    }

    #[test]
    fn by_default_a_namespace_of_its_own_is_open_and_the_hosts_is_closed() {
        let own = specs::ctr();
        let policy_of = |spec: &Spec| rules(spec, "", None);
        let allowed = policy_of(&own);
        for rule in ["connect=*", "connect=127.0.0.0/8", "connect=[::1]", "listen=*", "resolve=*"] {
            assert!(allowed.contains(&rule.to_owned()), "{allowed:?}");
        }
        assert!(policy_of(&in_namespace(json!([{ "type": "pid" }]))).is_empty());
    }

    #[test]
    fn the_default_reaches_loopback_and_neighbours_but_no_metadata_service() {
        let settings = Config::default().settings(EngineChoice::Auto);
        let policy = policy(&specs::ctr(), &Annotations::default(), &settings);
        let may = |address: &str| policy.allows_connect(address.parse().unwrap(), wasmrt_model::network::Protocol::Tcp);
        for address in
            ["10.1.2.3:80", "8.8.8.8:53", "127.0.0.1:1", "[::1]:80", "0.0.0.0:80", "169.254.1.1:80", "[fe80::1]:80"]
        {
            assert!(may(address), "{address}");
        }
        for address in
            ["169.254.169.254:80", "169.254.170.2:80", "[fd00:ec2::254]:80", "100.100.100.200:80", "224.0.0.1:80"]
        {
            assert!(!may(address), "{address}");
        }
    }

    #[test]
    fn an_annotation_takes_the_place_of_the_rules_and_the_ceiling_lowers_what_nobody_asked_for() {
        let own = specs::ctr();
        assert_eq!(rules(&own, "", Some("connect=10.0.0.1:443")), ["connect=10.0.0.1:443"]);
        assert!(rules(&own, "ceiling.network = false", None).is_empty());
        assert_eq!(rules(&own, "ceiling.network = false", Some("connect=10.0.0.1:443")), ["connect=10.0.0.1:443"]);
    }
}
