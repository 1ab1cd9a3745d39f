//! The first line and the header fields of a message.

/// The longest head taken in, in bytes.
pub const HEAD_LIMIT: usize = 16 << 10;

/// The first line and the header fields of a message.
#[derive(Debug)]
pub struct Head {
    /// The first line: of a request or of a response.
    pub first: String,
    /// Names and values, in order.
    pub fields: Vec<(String, String)>,
}

impl Head {
    /// The head at the start of this buffer and where it ends; nothing if it has not arrived whole; else the status that says what is wrong.
    pub fn find(input: &[u8]) -> Result<Option<(Self, usize)>, u16> {
        let Some(end) = input.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if input.len() > HEAD_LIMIT { Err(431) } else { Ok(None) };
        };
        if end > HEAD_LIMIT {
            return Err(431);
        }
        let text = std::str::from_utf8(&input[..end]).map_err(|_| 400u16)?;
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default().to_owned();
        let mut fields = Vec::new();
        for line in lines {
            let (name, value) = line.split_once(':').ok_or(400u16)?;
            // A space before the colon, or a folded line, is how one request is smuggled inside another.
            if name.is_empty() || name.contains([' ', '\t']) {
                return Err(400);
            }
            fields.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
        }
        Ok(Some((Self { first, fields }, end + 4)))
    }

    /// The first value of this field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values of this field.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the field has exactly this value, in any case of letters.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name).is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    /// Whether this word stands in the field's list.
    pub fn has(&self, name: &str, word: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    }
}
