//! A recursive-descent parser that is fed brackets nested to the depth given, then an expression: how deep may a guest call?

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    fn sum(&mut self) -> Result<i64, usize> {
        let mut value = self.product()?;
        while let sign @ (b'+' | b'-') = self.peek() {
            self.at += 1;
            let right = self.product()?;
            value = if sign == b'+' { value.wrapping_add(right) } else { value.wrapping_sub(right) };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i64, usize> {
        let mut value = self.atom()?;
        while self.peek() == b'*' {
            self.at += 1;
            value = value.wrapping_mul(self.atom()?);
        }
        Ok(value)
    }

    fn atom(&mut self) -> Result<i64, usize> {
        match self.peek() {
            b'(' => {
                self.at += 1;
                let value = self.sum()?;
                if self.peek() != b')' {
                    return Err(self.at);
                }
                self.at += 1;
                Ok(value)
            }
            b'0'..=b'9' => {
                let mut value = 0i64;
                while let digit @ b'0'..=b'9' = self.peek() {
                    value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
                    self.at += 1;
                }
                Ok(value)
            }
            _ => Err(self.at),
        }
    }
}

fn main() {
    let depth = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(1000usize);
    let text = format!("{}7*6+0{}", "(1+".repeat(depth), ")".repeat(depth));
    match (Parser { text: text.as_bytes(), at: 0 }).sum() {
        Ok(value) => println!("depth {depth}: {value}"),
        Err(at) => {
            println!("syntax error at {at}");
            std::process::exit(1);
        }
    }
}
