//! Images without files: what they hold is the program, as WebAssembly, and containerd keeps it where only it can be asked for.
//!
//! Who is asked is containerd itself, over the socket that it told the shim of: which image a container was made from, what that image
//! consists of, and for the layer. What comes back is bounded and checked against its digest.

mod manifest;

use containerd_client::services::v1::containers_client::ContainersClient;
use containerd_client::services::v1::content_client::ContentClient;
use containerd_client::services::v1::images_client::ImagesClient;
use containerd_client::services::v1::{GetContainerRequest, GetImageRequest, ReadContentRequest};
use containerd_client::tonic::transport::Channel;
use containerd_client::tonic::{Code, Request, Status};
use manifest::{Descriptor, Layers, Manifest};
use rustix::fs::MemfdFlags;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use wasmrt_model::{Error, ErrorKind, Limits, Result};

/// How long containerd may take to answer everything.
const PATIENCE: Duration = Duration::from_secs(30);

/// More is no manifest.
const MOST_MANIFEST_BYTES: u64 = 4 << 20;

/// Where containerd is, and whose images these are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) address: PathBuf,
    pub(crate) namespace: String,
}

/// What a process wants of its container's image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) container: &'a str,
    /// The process's first argument.
    pub(crate) program: &'a str,
    /// Whether that is what the container's first process is called, for which the image was made.
    pub(crate) own: bool,
}

/// The program that a container's image consists of, in memory. None when the image does not consist of programs, or not of this one.
///
/// # Errors
/// When containerd does not answer, when several layers could be meant, and for bytes that are not what the image says.
pub(crate) async fn find(store: &Store, wanted: Wanted<'_>) -> Result<Option<OwnedFd>> {
    let found = async { Containerd::connect(store).await?.find(wanted).await };
    tokio::time::timeout(PATIENCE, found)
        .await
        .map_err(|_| Error::new(ErrorKind::Internal, "containerd takes too long to hand over the image's layer"))?
}

struct Containerd<'a> {
    channel: Channel,
    namespace: &'a str,
}

impl<'a> Containerd<'a> {
    async fn connect(store: &'a Store) -> Result<Self> {
        let channel = containerd_client::connect(&store.address).await.map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot ask containerd for the image")
                .with_context("address", store.address.display())
                .with_source(source)
        })?;
        Ok(Self { channel, namespace: &store.namespace })
    }

    async fn find(&self, wanted: Wanted<'_>) -> Result<Option<OwnedFd>> {
        let Some(image) = self.image_of(wanted.container).await? else { return Ok(None) };
        let mut layers = Layers::default();
        for manifest in self.manifests(image).await? {
            layers.add(manifest);
        }
        let Some(layer) = layers.program(wanted.program, wanted.own)? else { return Ok(None) };
        let most = Limits::default().module_bytes.bound().map_or(u64::MAX, |bytes| bytes.0);
        let bytes = self.content(&layer, most).await?;
        let bytes = bytes.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, format!("the image's layer {} is not here", layer.digest))
                .with_hint("pull the image again")
        })?;
        in_memory(&bytes).map(Some).map_err(|source| Error::io("cannot hold the image's layer", source))
    }

    /// The image that a container was made from, if it is still known.
    async fn image_of(&self, container: &str) -> Result<Option<Descriptor>> {
        let request = self.request(GetContainerRequest { id: container.to_owned() })?;
        let Some(answer) = known(ContainersClient::new(self.channel.clone()).get(request).await)? else {
            return Ok(None);
        };
        let name = answer.into_inner().container.unwrap_or_default().image;
        if name.is_empty() {
            return Ok(None);
        }
        let request = self.request(GetImageRequest { name })?;
        let Some(answer) = known(ImagesClient::new(self.channel.clone()).get(request).await)? else { return Ok(None) };
        let target = answer.into_inner().image.and_then(|image| image.target);
        Ok(target.map(|target| Descriptor {
            media_type: target.media_type,
            digest: target.digest,
            size: u64::try_from(target.size).unwrap_or(u64::MAX),
            ..Descriptor::default()
        }))
    }

    /// The manifests of an image, one for each platform that it is here for.
    async fn manifests(&self, image: Descriptor) -> Result<Vec<Manifest>> {
        let Some(first) = self.manifest(&image).await? else { return Ok(Vec::new()) };
        if !first.is_index() {
            return Ok(vec![first]);
        }
        let mut manifests = Vec::new();
        for descriptor in first.platforms() {
            manifests.extend(self.manifest(descriptor).await?);
        }
        Ok(manifests)
    }

    async fn manifest(&self, descriptor: &Descriptor) -> Result<Option<Manifest>> {
        let Some(bytes) = self.content(descriptor, MOST_MANIFEST_BYTES).await? else { return Ok(None) };
        let manifest = serde_json::from_slice(&bytes).map_err(|source| {
            Error::new(ErrorKind::InvalidInput, format!("the image's manifest {} cannot be read", descriptor.digest))
                .with_source(source)
        })?;
        Ok(Some(manifest))
    }

    /// What has this digest; None when it is not here, as what belongs to other platforms is not.
    async fn content(&self, descriptor: &Descriptor, most: u64) -> Result<Option<Vec<u8>>> {
        let Descriptor { digest, size, .. } = descriptor;
        let too_large = || {
            Error::new(ErrorKind::LimitExceeded, format!("{digest} of the image has {size} bytes, more than {most}"))
        };
        if *size > most {
            return Err(too_large());
        }
        let request = self.request(ReadContentRequest { digest: digest.clone(), offset: 0, size: 0 })?;
        let Some(answer) = known(ContentClient::new(self.channel.clone()).read(request).await)? else {
            return Ok(None);
        };
        let mut stream = answer.into_inner();
        let mut bytes = Vec::new();
        while let Some(part) = known(stream.message().await)?.flatten() {
            bytes.extend_from_slice(&part.data);
            if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
                return Err(too_large());
            }
        }
        // What is not there is told with the first part.
        if bytes.is_empty() && *size > 0 {
            return Ok(None);
        }
        check(digest, &bytes)?;
        Ok(Some(bytes))
    }

    fn request<T>(&self, message: T) -> Result<Request<T>> {
        let mut request = Request::new(message);
        let namespace = self.namespace.parse().map_err(|_| {
            Error::new(ErrorKind::InvalidInput, format!("'{}' is no namespace of containerd's", self.namespace))
        })?;
        request.metadata_mut().insert("containerd-namespace", namespace);
        Ok(request)
    }
}

/// What containerd answered; None when there is no such thing.
fn known<T>(answer: std::result::Result<T, Status>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(status) if status.code() == Code::NotFound => Ok(None),
        Err(status) => {
            Err(Error::new(ErrorKind::Internal, format!("containerd does not tell of the image: {}", status.message())))
        }
    }
}

fn check(digest: &str, bytes: &[u8]) -> Result<()> {
    let Some(expected) = digest.strip_prefix("sha256:") else {
        return Err(Error::new(ErrorKind::Unsupported, format!("{digest} of the image is no digest of SHA-256")));
    };
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == expected {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, format!("what containerd has for {digest} is damaged: it is {found}"))
        .with_hint("remove the image and pull it again"))
}

fn in_memory(bytes: &[u8]) -> std::io::Result<OwnedFd> {
    let mut file = File::from(rustix::fs::memfd_create("layer", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_what_their_digest_says() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        check(empty, b"").unwrap();
        assert_eq!(check(empty, b"x").unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(check("sha512:00", b"").unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
