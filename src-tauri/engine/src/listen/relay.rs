//! Carries one connection. While nothing moves it holds no buffer.

use std::{io, time::Duration};

use bytes::BytesMut;
use ropeway_mux::Reason;
use socket2::SockRef;
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{
        TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
};

use crate::{
    api::ConnectionState,
    link::{Received, Stream},
    live::Row,
};

/// From now on the connection ends with RST, whoever ends it and however (a killed engine, too): the program reads
/// ECONNRESET, never an empty answer that looks whole.
pub fn cut(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(Some(Duration::ZERO));
}

/// Everything was said in both directions: an ordinary end.
fn close(client: &TcpStream) {
    let _ = SockRef::from(client).set_linger(None);
}

/// Through the tunnel. Cuts the client when the target refused it or when the stream was cut. Says whether it was because
/// the far side has nothing left to make connections with.
pub async fn through(mut client: TcpStream, stream: Stream, row: Row) -> bool {
    cut(&client);
    let end = tokio::select! {
        end = carry(&mut client, &stream, &row) => end,
        () = row.close_asked() => Err(Cut::Asked),
    };
    let exhausted = matches!(end, Err(Cut::Refused(Reason::Exhausted)));
    row.set(match &end {
        Ok(()) => ConnectionState::Closed,
        Err(_) if stream.link_ended() => ConnectionState::Lost,
        Err(cut) => cut.state(),
    });
    match end {
        Ok(()) => close(&client),
        Err(_) => stream.reset(Reason::Reset),
    }
    exhausted
}

/// Around the tunnel, for what is ours.
pub async fn around(mut client: TcpStream, mut far: TcpStream, row: Row) {
    cut(&client);
    match copy_bidirectional(&mut client, &mut far).await {
        Ok((up, down)) => {
            close(&client);
            row.add_up(up as usize);
            row.add_down(down as usize);
            row.set(ConnectionState::Closed);
        }
        Err(_) => row.set(ConnectionState::Reset),
    }
}

/// Why a connection was not carried to its end.
#[derive(Debug)]
enum Cut {
    /// The target did not take it.
    Refused(Reason),
    /// The far side cut it.
    Far,
    /// The program cut it.
    Near,
    /// Somebody clicked Close.
    Asked,
}

impl Cut {
    fn state(&self) -> ConnectionState {
        match self {
            Self::Refused(Reason::Refused) => ConnectionState::Refused,
            Self::Refused(Reason::HostUnreachable | Reason::NetworkUnreachable) => {
                ConnectionState::Unreachable
            }
            Self::Refused(Reason::TimedOut) => ConnectionState::TimedOut,
            Self::Refused(Reason::Prohibited) => ConnectionState::Prohibited,
            Self::Refused(Reason::Exhausted | Reason::Reset | Reason::Failed) => ConnectionState::Failed,
            Self::Far | Self::Near | Self::Asked => ConnectionState::Reset,
        }
    }
}

impl From<io::Error> for Cut {
    fn from(_: io::Error) -> Self {
        Self::Near
    }
}

async fn carry(client: &mut TcpStream, stream: &Stream, row: &Row) -> Result<(), Cut> {
    let (reader, writer) = client.split();
    // what the program says first travels with the OPEN; nothing it reads can come before OPENED
    let down = async {
        stream.opened().await.map_err(Cut::Refused)?;
        row.set(ConnectionState::Open);
        down(stream, writer, row).await
    };
    tokio::try_join!(up(reader, stream, row), down).map(drop)
}

async fn up(reader: ReadHalf<'_>, stream: &Stream, row: &Row) -> Result<(), Cut> {
    loop {
        reader.readable().await?;
        let Ok(room) = stream.room().await else { return far_end(stream).await };
        let mut buffer = BytesMut::with_capacity(room);
        match reader.try_read_buf(&mut buffer) {
            Ok(0) => {
                stream.finish();
                row.set(ConnectionState::Closing);
                return Ok(());
            }
            Ok(bytes) => {
                row.add_up(bytes);
                stream.send(buffer.freeze());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The reading side of the stream knows why it ended; let it tell.
async fn far_end(stream: &Stream) -> Result<(), Cut> {
    stream.opened().await.map_err(Cut::Refused)?;
    Err(Cut::Far)
}

async fn down(stream: &Stream, mut writer: WriteHalf<'_>, row: &Row) -> Result<(), Cut> {
    loop {
        match stream.receive().await.map_err(|_| Cut::Far)? {
            Received::Data(data) => {
                writer.write_all(&data).await?;
                row.add_down(data.len());
                stream.consumed(data.len());
            }
            Received::Eof => {
                row.set(ConnectionState::Closing);
                return Ok(writer.shutdown().await?);
            }
        }
    }
}
