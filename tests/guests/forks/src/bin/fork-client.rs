//! An HTTP client on WasmEdge's fork of reqwest: `fork-client URL [BODY]`. Prints the status and the body.
//!
//! Ends with 0 when there was an answer, with 3 when there was none, with 64 when it was called wrongly.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), body) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: fork-client URL [BODY]");
        return ExitCode::from(64);
    };
    match fetch(&url, body).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fork-client: {error:?}");
            ExitCode::from(3)
        }
    }
}

async fn fetch(url: &str, body: Option<String>) -> Result<(), reqwest::Error> {
    let client = reqwest::Client::new();
    let request = match body {
        Some(body) => client.post(url).body(body),
        None => client.get(url),
    };
    let response = request.send().await?;
    println!("{}", response.status().as_u16());
    print!("{}", response.text().await?);
    Ok(())
}
