//! The profile: from a file, or from the flags of one stream, with the flags of the run before either.

use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use super::ends::usage;
use super::groups::{RunArgs, StopArgs, StreamArgs};
use crate::error::Result;
use crate::profile::problem::{Origin, shown};
use crate::profile::raw::{Key, RawStream, RawVxlan};
use crate::profile::{Defaults, Profile, ProfileError, Raw, Run};

/// Most bytes of a profile: sixteen streams with every key are a tenth of it.
const LARGEST: u64 = 64 * 1024;

/// Addresses of the sending interface, asked for when a source was left out.
pub type Own<'a> = &'a dyn Fn() -> Result<Vec<IpAddr>>;

/// What was typed about traffic.
pub struct Traffic<'a> {
    /// Keys of the run.
    pub run: &'a RunArgs,
    /// Its end, where it has one.
    pub stop: Option<&'a StopArgs>,
    /// Keys of a stream.
    pub stream: &'a StreamArgs,
}

impl Traffic<'_> {
    /// The profile.
    ///
    /// # Errors
    /// A value is wrong or missing, the file is not to be read; what `own` fails with.
    pub fn profile(&self, defaults: Defaults, own: Own<'_>) -> Result<Profile> {
        let flags = self.flags();
        let run = Run::read(&flags)?;
        let Some(file) = &self.run.profile else {
            if self.stream.dst.is_none() {
                return Err(usage(
                    "--dst: missing; where packets go, or --profile FILE".into(),
                ));
            }
            let raw = Raw {
                stream: vec![self.stream.raw()?],
                ..flags
            };
            return check(raw, run, defaults, own, |error| error);
        };
        if let Some((flag, _)) = self.stream.typed().into_iter().find(|(_, typed)| *typed) {
            return Err(usage(format!(
                "{flag}: not together with --profile, whose streams have it in the file; \
                 only --rate, --burst, --duration, --count, --payload and --seed go before a file"
            )));
        }
        let named = |error: ProfileError| ProfileError {
            key: format!("--profile {}: {}", shown_path(file), error.key),
            ..error
        };
        let raw = Raw::parse(&read(file)?).map_err(named)?;
        check(raw, run, defaults, own, named)
    }

    fn flags(&self) -> Raw {
        let (duration, count) = match self.stop {
            Some(stop) => (&stop.duration, &stop.count),
            None => (&None, &None),
        };
        Raw {
            origin: Origin::Flags,
            rate: key(&self.run.rate),
            burst: key(&self.run.burst),
            duration: key(duration),
            count: key(count),
            payload: key(&self.run.payload),
            seed: key(&self.run.seed),
            stream: Vec::new(),
        }
    }
}

/// Checks everything with placeholders for sources that were left out, and only then asks the machine for them.
fn check(
    mut raw: Raw,
    run: Run,
    defaults: Defaults,
    own: Own<'_>,
    named: impl Fn(ProfileError) -> ProfileError,
) -> Result<Profile> {
    if raw.lacks_source() {
        let mut trial = raw.clone();
        let placeholders = ["192.0.2.1", "2001:db8::1", "fe80::1"];
        trial.fill_sources(&placeholders.map(|address| address.parse().expect("an address")));
        trial.profile(run, defaults).map_err(&named)?;
        raw.fill_sources(&own()?);
    }
    Ok(raw.profile(run, defaults).map_err(named)?)
}

fn read(path: &Path) -> Result<String> {
    let failed = |error: std::io::Error| usage(format!("--profile {}: {error}", shown_path(path)));
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let len = file
        .take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if len as u64 > LARGEST {
        return Err(usage(format!(
            "--profile {}: larger than {LARGEST} bytes, which is no profile",
            shown_path(path)
        )));
    }
    Ok(text)
}

fn shown_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    let strange = |c: char| c.is_control() || c.is_whitespace();
    if text.contains(strange) {
        shown(&text)
    } else {
        text.into_owned()
    }
}

fn key(text: &Option<String>) -> Key {
    text.clone().map(Into::into)
}

impl StreamArgs {
    /// Its flags, and whether each was typed.
    fn typed(&self) -> Vec<(&'static str, bool)> {
        let StreamArgs {
            proto,
            src,
            dst,
            sport,
            dport,
            id,
            flows,
            order,
            size,
            ttl,
            tos,
            src_mac,
            dst_mac,
            ..
        } = self;
        let mut typed = vec![
            ("--proto", proto.is_some()),
            ("--src", src.is_some()),
            ("--dst", dst.is_some()),
            ("--sport", sport.is_some()),
            ("--dport", dport.is_some()),
            ("--id", id.is_some()),
            ("--flows", flows.is_some()),
            ("--order", order.is_some()),
            ("--size", size.is_some()),
            ("--ttl", ttl.is_some()),
            ("--tos", tos.is_some()),
            ("--src-mac", src_mac.is_some()),
            ("--dst-mac", dst_mac.is_some()),
            ("--vxlan", self.vxlan.is_some()),
        ];
        typed.extend(self.tunnel());
        typed
    }

    /// The flags that only mean something with `--vxlan`.
    fn tunnel(&self) -> [(&'static str, bool); 6] {
        [
            ("--vtep-src", self.vtep_src.is_some()),
            ("--vtep-dst", self.vtep_dst.is_some()),
            ("--vxlan-dport", self.vxlan_dport.is_some()),
            ("--vxlan-checksum", self.vxlan_checksum),
            ("--inner-src-mac", self.inner_src_mac.is_some()),
            ("--inner-dst-mac", self.inner_dst_mac.is_some()),
        ]
    }

    fn raw(&self) -> Result<RawStream> {
        let tunnel = self.tunnel().into_iter().find(|(_, typed)| *typed);
        if let (None, Some((flag, _))) = (&self.vxlan, tunnel) {
            return Err(usage(format!(
                "{flag}: only with --vxlan VNI: without it there is no tunnel"
            )));
        }
        Ok(RawStream {
            name: None,
            weight: None,
            proto: key(&self.proto),
            src: key(&self.src),
            dst: key(&self.dst),
            sport: key(&self.sport),
            dport: key(&self.dport),
            id: key(&self.id),
            flows: key(&self.flows),
            order: key(&self.order),
            size: key(&self.size),
            ttl: key(&self.ttl),
            tos: key(&self.tos),
            src_mac: key(&self.src_mac),
            dst_mac: key(&self.dst_mac),
            vxlan: self.vxlan.as_ref().map(|_| RawVxlan {
                vni: key(&self.vxlan),
                src: key(&self.vtep_src),
                dst: key(&self.vtep_dst),
                port: key(&self.vxlan_dport),
                inner_src_mac: key(&self.inner_src_mac),
                inner_dst_mac: key(&self.inner_dst_mac),
                checksum: Some(self.vxlan_checksum.into()),
            }),
        })
    }
}
