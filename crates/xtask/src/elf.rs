//! What kind of program a file is: for which processor, and whether it needs anything from the
//! machine it will run on.
//!
//! A function package that was linked for the wrong processor, or against a C library that
//! `provided.al2023` has in another version, fails only when it is invoked; here it fails at once.

use anyhow::{Context, Result, bail, ensure};
use elf::ElfBytes;
use elf::abi::{DT_NEEDED, EM_AARCH64, EM_X86_64, ET_DYN, ET_EXEC, PT_INTERP};
use elf::endian::LittleEndian;

/// A processor architecture, by the names AWS gives to Lambda's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Architecture {
    /// AWS Graviton.
    #[value(name = "arm64")]
    Arm64,
    /// Intel and AMD.
    #[value(name = "x86_64")]
    X86_64,
}

impl Architecture {
    /// This machine's, if functions can have it.
    pub fn of_this_machine() -> Result<Self> {
        match std::env::consts::ARCH {
            "aarch64" => Ok(Self::Arm64),
            "x86_64" => Ok(Self::X86_64),
            other => bail!("Lambda has no {other}"),
        }
    }

    /// AWS's name, as in `Architectures` of `CreateFunction`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Arm64 => "arm64",
            Self::X86_64 => "x86_64",
        }
    }

    fn machine(self) -> u16 {
        match self {
            Self::Arm64 => EM_AARCH64,
            Self::X86_64 => EM_X86_64,
        }
    }
}

/// Checks that `program` is an executable for `architecture` that needs neither a loader nor a
/// shared library.
pub fn check_static(program: &[u8], architecture: Architecture) -> Result<()> {
    let file = ElfBytes::<LittleEndian>::minimal_parse(program).context("not an ELF file")?;
    let machine = file.ehdr.e_machine;
    ensure!(
        machine == architecture.machine(),
        "built for machine {machine}, not for {} ({})",
        architecture.name(),
        architecture.machine()
    );
    ensure!([ET_EXEC, ET_DYN].contains(&file.ehdr.e_type), "not an executable");
    let segments = file.segments().context("an executable without segments")?;
    if segments.iter().any(|segment| segment.p_type == PT_INTERP) {
        bail!("dynamically linked: it asks for a loader");
    }
    if let Some(dynamic) = file.dynamic().context("its dynamic section cannot be read")? {
        ensure!(dynamic.iter().all(|entry| entry.d_tag != DT_NEEDED), "it needs a shared library");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest ELF file that shows the fields looked at: a header and one program header.
    fn program(machine: u16, segment: u32) -> Vec<u8> {
        let mut file = vec![0_u8; 64 + 56];
        file[..7].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        file[16..18].copy_from_slice(&ET_EXEC.to_le_bytes());
        file[18..20].copy_from_slice(&machine.to_le_bytes());
        file[20..24].copy_from_slice(&1_u32.to_le_bytes());
        file[32..40].copy_from_slice(&64_u64.to_le_bytes());
        file[52..54].copy_from_slice(&64_u16.to_le_bytes());
        file[54..56].copy_from_slice(&56_u16.to_le_bytes());
        file[56..58].copy_from_slice(&1_u16.to_le_bytes());
        file[64..68].copy_from_slice(&segment.to_le_bytes());
        file
    }

    #[test]
    fn the_machine_must_fit() {
        let arm = program(EM_AARCH64, elf::abi::PT_LOAD);
        check_static(&arm, Architecture::Arm64).unwrap();
        assert!(check_static(&arm, Architecture::X86_64).unwrap_err().to_string().contains("not for x86_64"));
    }

    #[test]
    fn a_loader_is_refused() {
        let dynamic = program(EM_X86_64, PT_INTERP);
        assert!(check_static(&dynamic, Architecture::X86_64).unwrap_err().to_string().contains("loader"));
        assert!(check_static(b"#!/bin/sh\n", Architecture::X86_64).is_err());
    }

    /// Tests themselves are linked against the C library of the machine they are built on.
    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
    fn a_real_dynamic_program_is_refused() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(check_static(&own, Architecture::X86_64).is_err());
        assert!(check_static(&own, Architecture::Arm64).is_err());
    }
}
