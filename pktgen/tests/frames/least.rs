//! The least size that a profile may ask for, and the least frame that the builder makes, are computed apart: they must
//! agree.

use pktgen::frame::FCS_LEN;
use pktgen::frame::build::len_of;
use pktgen::profile::{
    Defaults, Payload, Profile, ProfileError, Rate, Raw, Run, Size, Stop, Stream,
};

use crate::kinds::kinds;

/// What becomes of a stream that is written and read.
fn read(stream: Stream) -> Result<Profile, ProfileError> {
    let (rate, stop, seed) = (Rate::Max, Stop::Never, 1);
    let profile = Profile {
        streams: vec![stream],
        payload: Payload::Random,
        rate,
        burst: 1,
        stop,
        seed,
    };
    let raw = Raw::parse(&profile.to_toml()).expect("TOML");
    raw.profile(Run::default(), Defaults { rate, stop, seed })
}

#[test]
fn the_least_size_is_that_of_the_least_frame() {
    for kind in kinds() {
        let mut stream = kind.stream();
        let least = (len_of(&stream) + FCS_LEN) as u16;
        stream.size = Size::Fixed(least);
        let accepted = read(stream.clone()).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!(accepted.streams[0].size, Size::Fixed(least));
        stream.size = Size::Fixed(least - 1);
        let refused = read(stream).expect_err("too small");
        assert!(refused.key.contains("size"), "{refused:?}");
        assert!(refused.problem.contains(&least.to_string()), "{refused:?}");
    }
}
