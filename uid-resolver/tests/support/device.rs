// SPDX-License-Identifier: MIT OR Apache-2.0
//! A device in a temporary directory: a package manager that installs apps, and the resolver beside it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sekisho_uid_resolver::error::Error;
use sekisho_uid_resolver::journal::Event;
use sekisho_uid_resolver::sync::{Config, Resolver};
use tempfile::TempDir;

use super::apk::apk;
use super::kernel::{FakeKernel, DOMAIN};

pub struct Device {
    root: TempDir,
    pub kernel: FakeKernel,
    pub resolver: Resolver<FakeKernel>,
    packages: BTreeMap<String, u32>,
    installs: u32,
}

impl Device {
    pub fn new() -> Device {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("app")).unwrap();
        let kernel = FakeKernel::boot();
        let resolver = new_resolver(root.path(), &kernel);
        let device = Device { root, kernel, resolver, packages: BTreeMap::new(), installs: 0 };
        device.write_list();
        device
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Another process of the resolver: nothing remembered.
    pub fn restart(&mut self) {
        self.resolver = new_resolver(self.root.path(), &self.kernel);
    }

    /// What the package manager does: a new directory, the old one gone, a line in the list.
    pub fn install(&mut self, package: &str, uid: u32, fragment: Option<&str>) -> PathBuf {
        self.install_bytes(package, uid, &apk(package, fragment))
    }

    pub fn install_bytes(&mut self, package: &str, uid: u32, bytes: &[u8]) -> PathBuf {
        self.remove_directory(package);
        self.installs += 1;
        let directory = self.path(&format!("app/~~r{}==/{package}-q{}==", self.installs, self.installs));
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("base.apk");
        fs::write(&path, bytes).unwrap();
        self.packages.insert(package.to_owned(), uid);
        self.write_list();
        path
    }

    pub fn uninstall(&mut self, package: &str) {
        self.remove_directory(package);
        self.packages.remove(package);
        self.write_list();
    }

    pub fn set_uid(&mut self, package: &str, uid: u32) {
        self.packages.insert(package.to_owned(), uid);
        self.write_list();
    }

    fn remove_directory(&self, package: &str) {
        for outer in fs::read_dir(self.path("app")).unwrap() {
            let outer = outer.unwrap().path();
            let inner: Vec<_> = fs::read_dir(&outer).unwrap().map(|entry| entry.unwrap()).collect();
            if inner
                .iter()
                .any(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{package}-")))
            {
                fs::remove_dir_all(outer).unwrap();
            }
        }
    }

    pub fn list_text(&self) -> String {
        let line = |(package, uid): (&String, &u32)| {
            format!("{package} {uid} 0 /data/user/0/{package} default:targetSdkVersion=33 none 0 1 1 @null\n")
        };
        let system = "android 1000 0 /data/system platform 1065 0 33 1 @system\n".to_owned();
        std::iter::once(system).chain(self.packages.iter().map(line)).collect()
    }

    pub fn write_list(&self) {
        self.write_raw_list(self.list_text().as_bytes());
    }

    /// Temporary file and rename, as the package manager does.
    pub fn write_raw_list(&self, text: &[u8]) {
        fs::write(self.path("packages.list.tmp"), text).unwrap();
        fs::rename(self.path("packages.list.tmp"), self.path("packages.list")).unwrap();
    }

    /// Sweeps and returns the events as text.
    pub fn try_sync(&mut self) -> (Result<(), Error>, Vec<String>) {
        let mut events: Vec<Event> = Vec::new();
        let result = self.resolver.sync(&mut events);
        (result, events.iter().map(ToString::to_string).collect())
    }

    pub fn sync(&mut self) -> Vec<String> {
        let (result, events) = self.try_sync();
        result.unwrap();
        events
    }

    /// The one-shot command.
    pub fn install_apk(&mut self, apk: &Path) -> (Result<bool, Error>, Vec<String>) {
        let mut events: Vec<Event> = Vec::new();
        let result = self.resolver.install(apk, &mut events);
        (result, events.iter().map(ToString::to_string).collect())
    }

    /// Names in the state directory.
    pub fn state(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("state")) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "lock");
        names.sort();
        names
    }
}

fn new_resolver(root: &Path, kernel: &FakeKernel) -> Resolver<FakeKernel> {
    let config = Config {
        domain: DOMAIN.to_owned(),
        state_dir: root.join("state"),
        packages_list: root.join("packages.list"),
        app_dir: root.join("app"),
    };
    Resolver::new(config, kernel.clone())
}
