//! Lists that end where their limit ends: a hostile one is not kept before it is refused.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// For `#[serde(deserialize_with)]`: at most `MOST` values and one more, which whoever checks the value counts.
pub fn limited<'de, D, T, const MOST: usize>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    from.deserialize_seq(Limited::<T, MOST>(PhantomData))
}

struct Limited<T, const MOST: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Limited<T, MOST> {
    type Value = Vec<T>;

    fn expecting(&self, text: &mut fmt::Formatter) -> fmt::Result {
        write!(text, "a list of at most {MOST}")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut values = vec![];
        while let Some(value) = list.next_element()? {
            if values.len() > MOST {
                return Err(A::Error::invalid_length(values.len() + 1, &self));
            }
            values.push(value);
        }
        Ok(values)
    }
}
