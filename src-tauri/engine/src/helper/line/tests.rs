use std::future::{pending, ready};

use ropeway_helper_api::{HelperCode, HelperError, SessionId};

use super::*;
use crate::api::Code;

fn pair() -> (Line, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    (Line::over(ours, ready(())).unwrap(), theirs)
}

fn unload(session: u32) -> Request {
    Request::Unload { session: SessionId(session) }
}

fn receive(helper: &UnixStream) -> Option<Request> {
    wire::receive(helper).unwrap().map(|received| received.message)
}

fn say(helper: &UnixStream, message: &Message) {
    wire::send(helper, message, &[]).unwrap();
}

fn reply(helper: &UnixStream, reply: Reply) {
    say(helper, &Message::Reply { reply });
}

/// Plays the helper's side of a greeting.
async fn greeted(answer: Reply) -> Result<Line, Failure> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        assert!(matches!(receive(&theirs), Some(Request::Hello { epoch: EPOCH, .. })));
        reply(&theirs, answer);
        // until the other side has heard it
        receive(&theirs);
    });
    greet(ours, ready(())).await
}

fn hello(epoch: u16) -> Reply {
    let grant = ropeway_helper_api::Grant::Own;
    Reply::Hello { epoch, revision: REVISION + 7, version: "9.9.9".into(), grant }
}

#[tokio::test]
async fn programs_of_one_epoch_work_together() {
    assert!(greeted(hello(EPOCH)).await.is_ok());
    let failure = greeted(hello(EPOCH + 1)).await.err().unwrap();
    assert_eq!(failure.code, Code::HelperOld);
    assert!(failure.detail.contains("9.9.9"), "{}", failure.detail);
    let refused = HelperError { code: HelperCode::Version, detail: "1.0".into() };
    assert_eq!(greeted(Reply::Error(refused)).await.err().unwrap().code, Code::HelperOld);
}

/// A caller that goes away in the middle of a question must not make the next one hear its answer.
#[tokio::test]
async fn an_abandoned_question_is_heard_to_its_end() {
    let (line, helper) = pair();
    {
        let abandoned = line.ask(unload(1), vec![]);
        tokio::pin!(abandoned);
        assert!(timeout(Duration::from_millis(1), &mut abandoned).await.is_err());
    }
    let second = tokio::spawn({
        let line = line.clone();
        async move { line.ask(unload(2), vec![]).await }
    });
    let expected = [Reply::Done, Reply::Leftovers { mine: 1, others: 0 }];
    let playing = expected.clone();
    tokio::task::spawn_blocking(move || {
        assert_eq!([receive(&helper), receive(&helper)], [Some(unload(1)), Some(unload(2))]);
        for answer in playing {
            reply(&helper, answer);
        }
    })
    .await
    .unwrap();
    assert_eq!(second.await.unwrap().unwrap(), expected[1]);
}

#[tokio::test]
async fn notices_come_between_a_question_and_its_answer() {
    let (line, helper) = pair();
    let mut notices = line.notices();
    let play = thread::spawn(move || {
        receive(&helper);
        say(&helper, &Message::Notice { notice: Notice::RulesGone { mended: true } });
        reply(&helper, Reply::Done);
        helper
    });
    assert_eq!(line.ask(unload(1), vec![]).await.unwrap(), Reply::Done);
    assert_eq!(notices.recv().await.unwrap(), Notice::RulesGone { mended: true });
    drop(play);
}

#[tokio::test]
async fn its_end_is_told_to_who_waits_for_an_answer_and_to_who_only_listens() {
    let (line, helper) = pair();
    let mut gone = line.gone();
    assert!(line.is_alive());
    let play = thread::spawn(move || receive(&helper));
    assert!(line.ask(unload(1), vec![]).await.is_err());
    play.join().unwrap();
    gone.wait_for(|gone| *gone).await.unwrap();
    assert!(!line.is_alive());
    assert!(line.ask(unload(2), vec![]).await.is_err(), "and nothing more can be asked");
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_ends_it() {
    let (line, helper) = pair();
    reply(&helper, Reply::Done);
    line.gone().wait_for(|gone| *gone).await.unwrap();
    assert_eq!(receive(&helper), None);
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_hangs_is_given_up() {
    let (line, helper) = pair();
    let start = tokio::time::Instant::now();
    let hears = tokio::task::spawn_blocking(move || (receive(&helper), helper));
    let (answer, heard) = tokio::join!(line.ask(unload(1), vec![]), hears);
    assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(start.elapsed().as_secs(), ANSWER.as_secs());
    let (first, helper) = heard.unwrap();
    assert_eq!((first, receive(&helper)), (Some(unload(1)), None));
}

#[tokio::test]
async fn it_is_gone_when_the_program_is_not_only_its_socket() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let line = Line::over(ours, pending()).unwrap();
    drop(theirs);
    assert!(line.ask(unload(1), vec![]).await.is_err());
    assert!(line.is_alive());
}

#[tokio::test]
async fn hanging_up_is_heard_and_waits_for_the_other_side() {
    let (line, helper) = pair();
    line.hang_up();
    let heard = tokio::task::spawn_blocking(move || (receive(&helper), helper)).await.unwrap();
    assert_eq!(heard.0, None);
    assert!(line.is_alive(), "it may still be undoing rules");
    drop(heard.1);
    line.gone().wait_for(|gone| *gone).await.unwrap();
}
