//! Requests in pieces, in a row, and wrong.

use super::{BODY_LIMIT, Body, HEAD_LIMIT, Head, Request, Taken, take_request};

fn whole(text: &str) -> Request {
    let mut input = text.as_bytes().to_vec();
    match take_request(&mut input) {
        Taken::Request(request) if input.is_empty() => *request,
        other => panic!("{text:?} gave {other:?} and left {input:?}"),
    }
}

fn refused(text: &str) -> u16 {
    match take_request(&mut text.as_bytes().to_vec()) {
        Taken::Refused(status) => status,
        other => panic!("{text:?} gave {other:?}"),
    }
}

#[test]
fn every_prefix_of_a_request_is_incomplete_and_the_whole_is_taken() {
    for text in [
        "POST /echo?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        "POST /echo?a=b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nTrailer: t\r\n\r\n",
    ] {
        for end in 0..text.len() {
            let mut input = text.as_bytes()[..end].to_vec();
            assert!(matches!(take_request(&mut input), Taken::Incomplete(false)), "{end} bytes");
            assert_eq!(input.len(), end, "an incomplete request stays in the buffer");
        }
        let request = whole(text);
        assert_eq!((request.path.as_str(), request.query.as_str()), ("/echo", "a=b"));
        assert_eq!(request.body, b"hello");
        assert!(request.keep_alive);
    }
}

#[test]
fn requests_in_a_row_come_out_one_by_one() {
    let mut input = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.0\r\n\r\n".to_vec();
    let Taken::Request(first) = take_request(&mut input) else { panic!("no first request") };
    let Taken::Request(second) = take_request(&mut input) else { panic!("no second request") };
    assert_eq!((first.path.as_str(), first.keep_alive), ("/a", true));
    assert_eq!((second.path.as_str(), second.keep_alive), ("/b", false));
    assert!(input.is_empty());
}

#[test]
fn a_client_that_waits_for_leave_is_told_of() {
    let mut input = b"PUT /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n".to_vec();
    assert!(matches!(take_request(&mut input), Taken::Incomplete(true)));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    assert_eq!(refused("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), 400);
    assert_eq!(refused("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
    assert_eq!(refused("POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx"), 400);
    assert_eq!(refused("POST / HTTP/1.1\r\nContent-Length : 1\r\n\r\nx"), 400);
    assert_eq!(refused("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
    assert_eq!(refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"), 400);
    assert_eq!(refused("GET http://x/ HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(refused("GET / HTTP/2\r\n\r\n"), 505);
    assert_eq!(refused("GET /\r\n\r\n"), 400);
}

#[test]
fn what_is_too_long_is_refused_before_it_is_stored() {
    assert_eq!(refused(&format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", BODY_LIMIT + 1)), 413);
    assert_eq!(refused("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 413);
    assert_eq!(refused("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n"), 413);
    assert_eq!(refused(&"x".repeat(HEAD_LIMIT + 1)), 431);
}

#[test]
fn a_response_without_a_length_lasts_until_the_connection_closes() {
    let head = |text: &str| Head::find(text.as_bytes()).unwrap().unwrap().0;
    let response = head("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n");
    assert_eq!(super::status_of(&response), Some(200));
    assert_eq!(Body::of(&response), Ok(Body::UntilClose));
    assert_eq!(super::status_of(&head("ICY 200 OK\r\n\r\n")), None);
    assert_eq!(super::status_of(&head("HTTP/1.1 999 OK\r\n\r\n")), None);
}
