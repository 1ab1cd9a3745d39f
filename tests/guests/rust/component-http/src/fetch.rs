//! A request of its own, to somebody else.

use crate::reply::{Reply, Sending};
use wasi::http::outgoing_handler;
use wasi::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, Scheme};

/// Answers with what a GET of this URL gives.
pub fn fetch(url: &str, reply: Reply) -> Sending {
    let response = match get(url) {
        Ok(response) => response,
        Err(words) => return reply.text(502, &format!("{words}\n")),
    };
    let kind = response.headers().get("content-type").into_iter().next();
    let kind =
        kind.and_then(|kind| String::from_utf8(kind).ok()).unwrap_or_else(|| "application/octet-stream".to_owned());
    let status = response.status();
    let Ok(body) = response.consume() else { return reply.text(502, "the body is gone\n") };
    reply.stream(status, &kind, None, |out| {
        let Ok(input) = body.stream() else { return Err(()) };
        out.copy(&input)
    })
}

/// The response, or why there is none, in the words of `wasi:http`'s error codes.
fn get(url: &str) -> Result<IncomingResponse, String> {
    let (scheme, rest) = if let Some(rest) = url.strip_prefix("http://") {
        (Scheme::Http, rest)
    } else if let Some(rest) = url.strip_prefix("https://") {
        (Scheme::Https, rest)
    } else {
        return Err("url= takes an http:// or https:// URL".to_owned());
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let request = OutgoingRequest::new(Fields::new());
    let invalid = |()| "the URL is not one".to_owned();
    request.set_scheme(Some(&scheme)).map_err(invalid)?;
    request.set_authority(Some(authority)).map_err(invalid)?;
    request.set_path_with_query(Some(&target)).map_err(invalid)?;
    let coming = outgoing_handler::handle(request, None).map_err(named)?;
    coming.subscribe().block();
    match coming.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(code))) => Err(named(code)),
        Some(Err(())) | None => Err("no response".to_owned()),
    }
}

/// The case of an error code, without what belongs to one machine or another.
fn named(code: ErrorCode) -> String {
    let text = format!("{code:?}");
    let name = text.rsplit("ErrorCode::").next().unwrap_or(&text);
    name.split(['(', ' ', '{']).next().unwrap_or(name).to_owned()
}
