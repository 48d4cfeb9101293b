//! As much of a DNS message as tells whether it answers a question.

/// Bytes of a message's head (RFC 1035, 4.1.1).
const HEAD: usize = 12;
/// Bit of the third byte: an answer.
const RESPONSE: u8 = 0x80;

/// Whether `answer` has the question's id and repeats it. A server that found the question itself malformed repeats
/// nothing (RFC 1035, 4.1.1: FORMERR).
pub fn answers(answer: &[u8], question: &[u8]) -> bool {
    let (Some(head), Some(asked)) = (answer.first_chunk::<HEAD>(), question.first_chunk::<HEAD>()) else {
        return false;
    };
    if head[..2] != asked[..2] || head[2] & RESPONSE == 0 {
        return false;
    }
    head[4..6] == [0, 0]
        || section(answer).is_some_and(|it| section(question).is_some_and(|of| it.eq_ignore_ascii_case(of)))
}

/// The first question: its name, type and class. Names in it are never compressed: there is nothing before.
fn section(message: &[u8]) -> Option<&[u8]> {
    let mut end = HEAD;
    loop {
        let length = *message.get(end)?;
        if length & 0xc0 != 0 {
            return None;
        }
        end += 1 + usize::from(length);
        if length == 0 {
            return message.get(HEAD..end + 4);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x02db\x04corp\0\0\x01\0\x01";

    fn with(at: usize, byte: u8) -> Vec<u8> {
        let mut answer = QUESTION.to_vec();
        answer[2] |= RESPONSE;
        answer[at] = byte;
        answer
    }

    #[test]
    fn an_answer_has_the_id_and_the_question() {
        assert!(answers(&with(0, 0x12), QUESTION));
        assert!(answers(&[with(13, b'D'), vec![7; 40]].concat(), QUESTION), "however it is written");
        assert!(!answers(&with(0, 0x13), QUESTION), "another id");
        assert!(!answers(&with(13, b'e'), QUESTION), "another name");
        assert!(!answers(&with(22, 28), QUESTION), "another type");
        assert!(!answers(QUESTION, QUESTION), "it is a question");
    }

    #[test]
    fn bytes_that_are_no_message_are_no_answer() {
        for length in 0..QUESTION.len() {
            let cut = &with(0, 0x12)[..length];
            assert!(!answers(cut, QUESTION) && !answers(&with(0, 0x12), &QUESTION[..length]), "{length}");
        }
        assert!(!answers(&with(12, 0xc0), QUESTION));
    }

    #[test]
    fn a_server_that_did_not_understand_repeats_nothing() {
        assert!(answers(&with(5, 0)[..HEAD], QUESTION));
    }
}
