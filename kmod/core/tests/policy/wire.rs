// SPDX-License-Identifier: MIT OR Apache-2.0
//! The compiled image: the hand-written codec and the derived one agree, and damage does no harm.

use crate::corpus::for_each_policy;
use crate::support::{load as load_texts, question as question_of, File};
use sekisho_core::engine::decide;
use sekisho_core::mem::Vec as Text;
use sekisho_core::policy::{Cursor, DomainId, Policy};
use sekisho_core::wire::host::{self, Image};
use sekisho_core::wire::{compile, load, Flaw, HEADER};

/// The key of loaded policies; that of written ones is another.
const KEY: u64 = 0x0123_4567_89AB_CDEF;

fn texts(policy: &Policy) -> [String; 4] {
    File::ALL.map(|file| file.print(policy))
}

pub fn loaded(image: &[u8], place: &str) -> Policy {
    load(image, KEY, 0)
        .unwrap_or_else(|error| panic!("{place}: offset {}: {}", error.offset, error.flaw.message()))
}

/// Something of everything that an image can hold.
fn everything() -> Policy {
    load_texts(&[
        (
            File::Profile,
            "PROFILE_VERSION=20090903\nPREFERENCE::audit={ max_grant_log=300 task_info=no }\n0-COMMENT= a  b\n\
             3-CONFIG={ mode=learning grant_log=no }\n3-CONFIG::file={ mode=enforcing }\n\
             3-CONFIG::file::open={ mode=permissive }\n3-CONFIG::capability::conceal_mount={ mode=disabled }\n\
             3-PREFERENCE::learning={ max_entry=70000 }\n255-COMMENT=last\n",
        ),
        (File::Manager, "/usr/sbin/editpolicy\n<kernel> /sbin/admin\nmanage_by_non_root\n"),
        (
            File::Exception,
            "initialize_domain /sbin/modprobe\nno_initialize_domain /bin/sh from <kernel> /a /b\n\
             keep_domain <kernel> /bin/sh\nno_keep_domain /bin/sh from /a\nallow_read /lib/\\*\nallow_env LC_\\*\n\
             aggregator /tmp/a.\\?\\? /tmp/a\naggregator /tmp/\\* /tmp/b\nfile_pattern /proc/\\$/status\n\
             deny_rewrite /var/log/\\*\npath_group WEB /var/www/\\*\npath_group WEB pipe:[\\$]\n\
             number_group APPS 10000-19999\nnumber_group APPS 0x1f\nnumber_group APPS 0644\n\
             address_group NET 10.0.0.1-10.0.0.9\naddress_group NET 0:0:0:0:0:0:0:1\n\
             deny_autobind 80\ndeny_autobind 1-1023\n",
        ),
        (
            File::Domain,
            "<kernel>\nuse_profile 3\nallow_read /etc/passwd\nallow_write /etc/passwd\n\
             allow_read @WEB if task.uid=@APPS\nallow_execute /bin/sh if exec.realpath=\"/bin/\\*\" exec.argv[1]!=\"-c\"\n\
             allow_execute /bin/ls if exec.envp[\"LD_\\*\"]=NULL exec.envp[\"A\"]!=\"\" exec.argc=1-5 ; set task.state[1]=7\n\
             allow_symlink /a if symlink.target=@LINKS\nallow_rename /tmp/\\* @WEB\n\
             allow_create /tmp/\\* 0600-0644\nallow_mkdir /x @MODES\nallow_mkchar /dev/null 0666 1 3\n\
             allow_chmod /a 9-3 if path1.parent.uid=task.fsuid path1.perm=owner_write path1.type!=directory\n\
             allow_network UDP connect @NET 53\nallow_network TCP bind 1.2.3.4-1.2.3.9 @PORTS\n\
             allow_mount /dev/sda1 /mnt/ ext3 0x6\nallow_env LD_\\*\nallow_env @A\nallow_capability SYS_TIME\n\
             allow_signal 15 <kernel> /a\nexecute_handler /h\ndenied_execute_handler /h if task.type!=execute_handler\n\
             <kernel> /bin/sh\nquota_exceeded\nignore_global_allow_env\nallow_read /a if 18446744073709551615=task.pid\n\
             <kernel> /bin/sh /bin/ls\ntransition_failed\nignore_global_allow_read\n",
        ),
    ])
}

/// All that must hold for a policy: it survives the way through an image, and both codecs say the same.
pub fn check(policy: &Policy, place: &str) {
    let image = compile(policy).expect("memory");
    let again = loaded(&image, place);
    assert_eq!(texts(&again), texts(policy), "{place}");
    assert_eq!(*compile(&again).expect("memory"), *image, "{place}: another image");
    let mirror = Image::from_bytes(&image).unwrap_or_else(|| panic!("{place}: postcard cannot read it"));
    assert_eq!(mirror.to_bytes().as_deref(), Some(&*image), "{place}: postcard writes other bytes");
    // What is not in the texts: the flag, and that the loaded policy counts as the same one does that was written.
    let parts = texts(policy);
    let read: Vec<(File, &str)> = File::ALL.into_iter().zip(parts.iter().map(String::as_str)).collect();
    let from_text = load_texts(&read);
    let counts = |policy: &Policy| -> Vec<(Vec<u8>, u32)> {
        let live = policy.domains().filter(|(_, domain)| !domain.is_deleted());
        live.map(|(_, domain)| (domain.name().to_vec(), domain.acl_count())).collect()
    };
    assert_eq!(counts(&again), counts(&from_text), "{place}");
}

#[test]
fn every_policy_of_the_corpus() {
    for_each_policy(&mut |place, policy| check(policy, place));
    check(&Policy::new().expect("memory"), "empty");
    check(&everything(), "everything");
}

#[test]
fn a_loaded_policy_takes_the_memory_of_a_written_one() {
    let written = everything();
    let image = compile(&written).expect("memory");
    let loaded = loaded(&image, "everything");
    // The hash depends on the key, so that the trees of the maps differ a little.
    assert!(loaded.memory().abs_diff(written.memory()) < written.memory() / 8);
}

/// Entries of one path stand together however they came in, so that a request finds the right one of thousands.
#[test]
fn one_path_with_many_conditions_is_loaded_as_it_is_written() {
    let mut text = String::from("<kernel>\n");
    for number in 0..300 {
        text += &format!("allow_read /file/{number}\n");
        text += &format!("allow_read /x if task.uid={number}\n");
        text += &format!("allow_read /y/\\* if task.gid={number}\n");
    }
    // With the same key, because the form of the index depends on it.
    let mut edit =
        loaded(&compile(&Policy::new().expect("memory")).expect("memory"), "empty").edit().expect("memory");
    let mut cursor = Cursor::default();
    for line in text.lines() {
        edit.domain_policy_line(&mut cursor, line.as_bytes())
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for line in ["PROFILE_VERSION=20090903", "0-CONFIG={ mode=enforcing }"] {
        edit.profile_line(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let written = edit.commit();
    let read = loaded(&compile(&written).expect("memory"), "one path");
    assert_eq!(read.memory(), written.memory());
    let mut edit = read.edit().expect("memory");
    edit.activate().unwrap_or_else(|error| panic!("{error}"));
    let read = edit.commit();
    for (question, granted) in [
        ("uid=299 allow_read /x", true),
        ("uid=300 allow_read /x", false),
        ("gid=0 allow_read /y/z", true),
        ("gid=300 allow_read /y/z", false),
        ("allow_read /file/299", true),
    ] {
        let question = question_of(question);
        let decision = decide(&read, DomainId::ROOT, &question.given.facts(), &question.request);
        assert_eq!(decision.granted, granted);
    }
}

/// Entries are read many at a time where that is quicker; what comes out is what comes of lines, to the byte.
#[test]
fn long_lists_take_the_memory_of_written_ones_and_give_it_back() {
    let empty = load(&compile(&Policy::new().expect("memory")).expect("memory"), KEY, 0);
    let empty = empty.ok().expect("an empty policy");
    for (domains, entries) in [(1, 1), (1, 63), (1, 64), (1, 65), (10, 130), (1, 2100)] {
        for other in [usize::MAX, 1, 7, 300] {
            let mut lines = Vec::new();
            for domain in 0..domains {
                lines.push(format!("<kernel> /d{domain}"));
                for number in 0..entries {
                    lines.push(format!("allow_read /usr/{}/{number}", number % 10));
                    let more = match number / other % 6 {
                        _ if other == usize::MAX || number % other != 0 => continue,
                        0 => format!("allow_read /usr/{}/{number} if task.uid=0", number % 10),
                        1 => format!("allow_write /usr/\\*/{number}"),
                        2 => format!("allow_create /usr/{}/{number} 0644", number % 10),
                        3 => format!("allow_write @GROUP{number}"),
                        4 => format!("allow_rename /usr/{} /usr/{number}", number % 3),
                        _ => "allow_read /usr/0/0 if task.gid=1 ; set task.state[0]=1".to_string(),
                    };
                    lines.push(more);
                }
            }
            let write = |policy: &Policy, prefix: &str| {
                let mut edit = policy.edit().expect("memory");
                let mut cursor = sekisho_core::policy::Cursor::default();
                for line in &lines {
                    let prefix = if line.starts_with("<kernel>") { "" } else { prefix };
                    let line = format!("{prefix}{line}");
                    edit.domain_policy_line(&mut cursor, line.as_bytes())
                        .unwrap_or_else(|error| panic!("{line}: {error}"));
                }
                edit.commit()
            };
            let place = format!("{domains} {entries} {other}");
            // Of a group only the mention is there, and an image has no such groups.
            let member = |policy: &Policy| {
                let mut edit = policy.edit().expect("memory");
                for number in (0..entries).filter(|number| number / other % 6 == 3) {
                    let line = format!("path_group GROUP{number} /x");
                    edit.exception_policy_line(line.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
                }
                edit.commit()
            };
            let written = write(&member(&empty), "");
            let image = compile(&written).expect("memory");
            let read = loaded(&image, &place);
            assert_eq!(texts(&read), texts(&written), "{place}");
            assert_eq!(read.memory(), written.memory(), "{place}");
            let (read, written) = (write(&read, "delete "), write(&written, "delete "));
            assert_eq!(texts(&read), texts(&written), "{place}");
            assert_eq!(read.memory(), written.memory(), "{place}");
        }
    }
}

#[test]
fn entries_of_a_loaded_policy_can_be_deleted() {
    let policy = everything();
    let image = compile(&policy).expect("memory");
    let loaded = loaded(&image, "everything");
    let mut edit = loaded.edit().expect("memory");
    let mut cursor = sekisho_core::policy::Cursor::default();
    for line in File::Domain.print(&policy).lines().filter(|line| !line.is_empty()) {
        let line = if line.starts_with("<kernel>") { line.to_string() } else { format!("delete {line}") };
        if line.starts_with("delete use_profile") {
            continue;
        }
        edit.domain_policy_line(&mut cursor, line.as_bytes())
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for line in File::Exception.print(&policy).lines() {
        let line = format!("delete {line}");
        edit.exception_policy_line(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    let policy = edit.commit();
    assert_eq!(File::Exception.print(&policy), "");
    let image = Image::from_bytes(&compile(&policy).expect("memory")).expect("an image");
    assert!(
        image.packed_words.is_empty()
            && image.conditions.is_empty()
            && image.domains.iter().all(|domain| domain.runs.is_empty())
    );
    assert!(
        image.path_groups.is_empty() && image.number_groups.is_empty() && image.address_groups.is_empty()
    );
}

/// An error, or a policy that prints, compiles and loads again.
fn survives(image: &[u8], place: &str) {
    if let Ok(policy) = load(image, KEY, 0) {
        let compiled = compile(&policy).expect("memory");
        assert_eq!(*compiled, *image, "{place}: another image");
        let again = loaded(&compiled, place);
        // A comment may have any bytes from 0x80 on (quirk Q30).
        let mut profiles = Text::new();
        policy.print_profiles(&mut profiles).expect("memory");
        if std::str::from_utf8(&profiles).is_err() {
            return;
        }
        assert_eq!(texts(&again), texts(&policy), "{place}");
        crate::support::check_reading_back(&policy, place);
    }
}

#[test]
fn truncated_images() {
    let image = compile(&everything()).expect("memory");
    for len in 0..image.len() {
        assert!(load(&image[..len], KEY, 0).is_err());
        if let Some(payload) = image[..len].get(HEADER..) {
            let whole = host::wrap(payload).expect("small");
            assert!(load(&whole, KEY, 0).is_err(), "{len}");
        }
    }
    let mut longer = image[HEADER..].to_vec();
    longer.push(0);
    let error = load(&host::wrap(&longer).expect("small"), KEY, 0).err().expect("an error");
    assert!(error.flaw == Flaw::Surplus && error.offset == image.len());
}

/// What is wrong in the header is said where it stands, and both readers find it.
#[test]
fn headers_that_are_wrong() {
    let good = compile(&everything()).expect("memory").to_vec();
    for (place, flaw, offset) in [
        (0, Flaw::NotAnImage, 0),
        (7, Flaw::Version, 7),
        (8, Flaw::Length, 8),
        (12, Flaw::Digest, 12),
        (HEADER - 1, Flaw::Digest, 12),
        (HEADER, Flaw::Digest, 12),
        (good.len() - 1, Flaw::Digest, 12),
    ] {
        let mut image = good.clone();
        image[place] ^= 1;
        let error = load(&image, KEY, 0).err().expect("it is wrong");
        assert!(error.flaw == flaw && error.offset == offset, "{place}: {}", error.offset);
        assert!(Image::from_bytes(&image).is_none(), "{place}");
    }
    assert!(Image::from_bytes(&good).is_some());
}

/// A number of tests that the image cannot hold takes no memory.
#[test]
fn a_hostile_count_allocates_nothing() {
    let empty = compile(&Policy::new().expect("memory")).expect("memory");
    let mut image = Image::from_bytes(&empty).expect("an image");
    let assignments = [Some(77), Some(78), Some(79)];
    image.conditions.push(host::Condition { tests: Vec::new(), assignments });
    let payload = image.to_bytes().expect("an image")[HEADER..].to_vec();
    let condition = [0, 1, 77, 1, 78, 1, 79];
    let place = payload.windows(7).position(|bytes| bytes == condition).expect("the condition");
    let hostile = |count: &[u8]| {
        let payload = [&payload[..place], count, &payload[place + 1..]].concat();
        host::wrap(&payload).expect("an image")
    };
    // 2,097,152 tests of 40 bytes.
    let image = hostile(&[0x80, 0x80, 0x80, 0x01]);
    let mut result = None;
    let used = allocation_counter::measure(|| result = Some(load(&image, KEY, 4096)));
    let error = result.and_then(Result::err).expect("it is wrong");
    assert!(error.flaw == Flaw::Truncated);
    assert!(used.bytes_max < 64 * 1024, "{} bytes", used.bytes_max);
}

#[test]
fn changed_bytes() {
    let image = compile(&everything()).expect("memory");
    for at in 0..HEADER {
        let mut bytes = image.to_vec();
        bytes[at] ^= 1;
        assert!(load(&bytes, KEY, 0).is_err(), "{at}");
    }
    let payload = &image[HEADER..];
    for at in 0..payload.len() {
        for flip in [1, 2, 128] {
            let mut bytes = payload.to_vec();
            bytes[at] ^= flip;
            survives(&host::wrap(&bytes).expect("small"), &format!("byte {at} ^ {flip}"));
        }
        for value in [0, b'@', b' ', b'\\', b'/', 0xFF] {
            let mut bytes = payload.to_vec();
            bytes[at] = value;
            survives(&host::wrap(&bytes).expect("small"), &format!("byte {at} = {value}"));
        }
    }
}

/// What a program with the derived codec could write and no text says.
#[test]
fn what_text_cannot_say_is_rejected() {
    use host::{Condition, Entries, Run, Test, Value};
    let good = Image::from_bytes(&compile(&everything()).expect("memory")).expect("an image");
    let rejected = |what: &str, change: &dyn Fn(&mut Image)| {
        let mut image = good.clone();
        change(&mut image);
        assert!(image != good, "{what}");
        assert!(load(&image.to_bytes().expect("small"), KEY, 0).is_err(), "{what}");
    };
    let push = |image: &mut Image, bits: u16, entries: Entries| {
        image.domains[1].runs.push(Run { bits, condition: None, entries });
    };
    let path = |image: &mut Image, word: &[u8]| {
        let place = image.add_word(word).expect("words");
        push(image, 4, Entries::Path(vec![place as i32]));
    };
    let member = |image: &mut Image, word: &[u8]| {
        let place = image.add_word(word).expect("words");
        image.path_groups[0].1.push(place);
    };
    // What makes the difference is the word.
    let mut image = good.clone();
    path(&mut image, b"/new");
    member(&mut image, b"@G");
    assert!(load(&image.to_bytes().expect("small"), KEY, 0).is_ok());
    for word in [&b""[..], b"@G", b"/a b", b"/\\q", b"/\n", b"\\", b"/\\101", b"/\xFF", b"/\0"] {
        rejected("a word", &|image| path(image, word));
        rejected("a member", &|image| member(image, if word == b"@G" { b"" } else { word }));
    }
    // Words of a line, where they would not be arguments.
    for word in [b"if".as_slice(), b";"] {
        rejected("what begins a condition", &|image| path(image, word));
        rejected("what begins a condition, as a variable", &|image| {
            let place = image.add_word(word).expect("words");
            push(image, 1, Entries::Env(vec![place]));
        });
        rejected("what begins a condition, as a second path", &|image| {
            let place = image.add_word(word).expect("words");
            push(image, 1, Entries::Path2(vec![(place, place)]));
        });
    }
    let flags = |image: &mut Image, value: u64| {
        let runs = image.domains.iter_mut().flat_map(|domain| &mut domain.runs);
        for run in runs {
            if let Entries::Mount(mounts) = &mut run.entries {
                let number = host::Number { radix: host::Radix::Hexadecimal, value };
                mounts[0].flags = host::NumberArg::Range(host::NumberRange { min: number, max: number });
            }
        }
    };
    let mut image = good.clone();
    flags(&mut image, 0x4001);
    assert!(load(&image.to_bytes().expect("small"), KEY, 0).is_ok());
    rejected("MS_SILENT", &|image| flags(image, 0xC001));
    let long = [b"/".to_vec(), b"\\?".repeat(600)].concat();
    rejected("a long pattern", &|image| path(image, &long));
    rejected("an unused word", &|image| {
        image.add_word(b"/unused").expect("words");
    });
    rejected("no such word", &|image| image.path_groups[0].1.push(1000));
    rejected("words out of order", &|image| {
        let mut words = image.words().expect("words");
        words.swap(0, 1);
        image.set_words(&words);
    });
    rejected("a word that is there twice", &|image| {
        let mut words = image.words().expect("words");
        words.insert(1, words[0].clone());
        image.set_words(&words);
    });
    rejected("a word without its beginning", &|image| image.packed_words[0] = 0x81);
    rejected("words without a mark", &|image| {
        image.packed_words.remove(0);
    });
    rejected("no bits", &|image| image.domains[0].runs[0].bits = 0);
    rejected("bits of another class", &|image| image.domains[0].runs[0].bits = 0x1000);
    rejected("read/write without read", &|image| image.domains[0].runs[0].bits = 1);
    rejected("no such group", &|image| push(image, 4, Entries::Path(vec![1000])));
    rejected("no such condition", &|image| image.domains[0].runs[0].condition = Some(99));
    rejected("an empty run", &|image| push(image, 4, Entries::Path(vec![])));
    rejected("a run in two parts", &|image| {
        let places: Vec<u32> =
            [b"/new", b"/old"].iter().map(|word| image.add_word(*word).expect("words")).collect();
        for place in places {
            push(image, 4, Entries::Path(vec![place as i32]));
        }
    });
    rejected("an unused condition", &|image| {
        image.conditions.push(Condition { tests: vec![], assignments: [Some(1), Some(2), Some(3)] });
    });
    rejected("an empty condition", &|image| {
        image.conditions[0] = Condition { tests: vec![], assignments: [None; 3] };
    });
    rejected("the same condition", &|image| image.conditions[1] = image.conditions[0].clone());
    rejected("a group on the left", &|image| {
        let value = Value::Keyword(host::Keyword::Argc);
        let test = Test::Value { left: Value::Group(0), negated: false, right: value };
        image.conditions[0].tests[0] = test;
    });
    rejected("an attribute that parents do not have", &|image| {
        let value = || Value::Keyword(host::Keyword::Attribute(1, 3));
        image.conditions[0].tests[0] = Test::Value { left: value(), negated: false, right: value() };
    });
    rejected("the name of a variable", &|image| {
        image.conditions[0].tests[0] = Test::Variable { name: b"A=".to_vec(), negated: false, wanted: None };
    });
    for run in 0..good.domains[0].runs.len() {
        rejected("the same entry", &|image| {
            let entry = image.domains[0].runs[run].clone();
            image.domains[0].runs.push(Run { bits: 8, ..entry.clone() });
            image.domains[0].runs.push(entry);
        });
    }
    rejected("the same path", &|image| {
        let place = image.add_word(b"/new").expect("words");
        push(image, 4, Entries::Path(vec![place as i32]));
        push(image, 8, Entries::Path(vec![place as i32]));
    });
    rejected("a second handler", &|image| {
        let places: Vec<u32> =
            [b"/new", b"/old"].iter().map(|word| image.add_word(*word).expect("words")).collect();
        push(image, 1, Entries::ExecuteHandler(places));
    });
    rejected("a handler with wildcards", &|image| {
        let place = image.add_word(b"/\\*").expect("words");
        push(image, 1, Entries::ExecuteHandler(vec![place]));
    });
    let rename = |image: &mut Image, number: usize, name: &[u8]| {
        let mut names = image.domain_names().expect("names");
        names[number] = name.to_vec();
        image.set_domain_names(&names);
    };
    let mut image = good.clone();
    rename(&mut image, 1, b"<kernel> /new");
    assert!(load(&image.to_bytes().expect("small"), KEY, 0).is_ok());
    rejected("a domain", &|image| rename(image, 1, b"<kernel>  /a"));
    rejected("the same domain", &|image| {
        let names = image.domain_names().expect("names");
        rename(image, 1, &names[2]);
    });
    rejected("a name that could share more", &|image| {
        let names = image.domain_names().expect("names");
        image.domains[1].shared = 7;
        image.domains[1].own = names[1][7..].to_vec();
    });
    rejected("a name that shares more than there is", &|image| image.domains[0].shared = 1);
    rejected("no root", &|image| drop(image.domains.remove(0)));
    rejected("no domain", &|image| image.domains.clear());
    rejected("a manager", &|image| image.managers[0] = b"editpolicy".to_vec());
    rejected("the same manager", &|image| image.managers[0] = image.managers[1].clone());
    rejected("a group name", &|image| image.number_groups[0].0 = b"a b".to_vec());
    rejected("the same group", &|image| image.number_groups[1].0 = image.number_groups[0].0.clone());
    rejected("an unused group", &|image| image.number_groups.push((b"UNUSED".to_vec(), vec![])));
    rejected("a reversed member", &|image| {
        let range = &mut image.number_groups[0].1[0];
        std::mem::swap(&mut range.min, &mut range.max);
    });
    rejected("two families", &|image| {
        image.address_groups[0].1[0].min = host::Address::V6([0; 16]);
    });
    rejected("a file pattern without pattern", &|image| {
        let place = image.add_word(b"/new").expect("words");
        image.file_patterns.push(place);
    });
    rejected("a directory to read", &|image| {
        let place = image.add_word(b"/a/").expect("words");
        image.global_reads.push(place);
    });
    rejected("a variable", &|image| {
        let place = image.add_word(b"A=B").expect("words");
        image.global_envs.push(place);
    });
    rejected("ports", &|image| image.autobind[0] = (2, 1));
    rejected("a rule without program", &|image| image.initialize[0].program = None);
    rejected("a rule without domain", &|image| image.keep[0].from = None);
    rejected("a comment", &|image| image.profiles[0].comment = b"a\n0-CONFIG={ mode=disabled }".to_vec());
    rejected("the order of profiles", &|image| image.profiles.swap(0, 1));
    rejected("an item", &|image| image.profiles[1].items[0].0 = 66);
    rejected("a mode", &|image| image.profiles[0].default.mode = 4);
    rejected("a range of one number", &|image| {
        let number = host::Number { radix: host::Radix::Decimal, value: 1 };
        let range = host::NumberRange { min: number, max: number };
        image.conditions[0].tests[0] =
            Test::Value { left: Value::Range(range), negated: false, right: Value::Range(range) };
    });
}

/// What text would merge, or number anew, is no image: what loads is what is compiled again.
#[test]
fn what_is_there_twice_or_out_of_order_is_rejected() {
    let good = Image::from_bytes(&compile(&everything()).expect("memory")).expect("an image");
    let flaw = |image: &Image| {
        let error = load(&image.to_bytes().expect("small"), KEY, 0).err();
        error.map_or("", |error| error.flaw.message())
    };
    let rejected = |what: &str, expected: Flaw, change: &dyn Fn(&mut Image)| {
        let mut image = good.clone();
        change(&mut image);
        assert!(image != good, "{what}");
        assert_eq!(flaw(&image), expected.message(), "{what}");
    };
    /// The first one again, at the end.
    fn again<T: Clone>(list: &mut Vec<T>) {
        let first = list.first().expect("everything is in it").clone();
        list.push(first);
    }
    type Change<'a> = &'a dyn Fn(&mut Image);
    let lists: [(&str, Change<'_>); 12] = [
        ("keep_domain", &|image| again(&mut image.keep)),
        ("initialize_domain", &|image| again(&mut image.initialize)),
        ("no_initialize_domain", &|image| image.initialize.push(image.initialize[1].clone())),
        ("allow_read", &|image| again(&mut image.global_reads)),
        ("allow_env", &|image| again(&mut image.global_envs)),
        ("file_pattern", &|image| again(&mut image.file_patterns)),
        ("deny_rewrite", &|image| again(&mut image.rewrites)),
        ("aggregator", &|image| again(&mut image.aggregators)),
        ("deny_autobind", &|image| again(&mut image.autobind)),
        ("path_group", &|image| again(&mut image.path_groups[0].1)),
        ("number_group", &|image| again(&mut image.number_groups[0].1)),
        ("address_group", &|image| again(&mut image.address_groups[0].1)),
    ];
    for (what, change) in lists {
        rejected(what, Flaw::Duplicate, change);
    }
    // The same conditions under each other's number.
    rejected("the order of conditions", Flaw::Order, &|image| {
        image.conditions.swap(0, 1);
        let entries = image.domains.iter_mut().flat_map(|domain| &mut domain.runs);
        for number in entries.filter_map(|entry| entry.condition.as_mut()).filter(|number| **number < 2) {
            *number = 1 - *number;
        }
    });

    // What looks alike is not the same: another program for the same name (reference 3.3), another radix (1.5), the same
    // member of another group, the other form of a rule.
    let mut image = good.clone();
    let other = image.add_word(b"/other").expect("words");
    image.aggregators.push((image.aggregators[0].0, other));
    let mut member = image.number_groups[0].1[0];
    member.min.radix = host::Radix::Octal;
    image.number_groups[0].1.push(member);
    let words = image.path_groups[0].1.clone();
    image.path_groups.push((b"OTHER".to_vec(), words));
    let mut rule = image.initialize[0].clone();
    rule.negative = !rule.negative;
    image.initialize.push(rule);
    image.autobind.push((80, 81));
    let bytes = image.to_bytes().expect("small");
    assert_eq!(*compile(&loaded(&bytes, "alike")).expect("memory"), *bytes);
}

#[test]
fn the_quota_is_kept() {
    let image = compile(&everything()).expect("memory");
    let memory = loaded(&image, "everything").memory();
    assert!(load(&image, KEY, memory).is_ok());
    let error = load(&image, KEY, memory / 2).err().expect("an error");
    assert!(error.flaw == Flaw::Quota);
}

/// An image may say short what is long in memory; the quota ends that before it takes much more.
#[test]
fn a_small_image_cannot_take_much_more_than_the_quota() {
    use host::{Entries, NumberArg, NumberRange, Run};
    const QUOTA: usize = 4 << 20;
    let empty =
        Image::from_bytes(&compile(&Policy::new().expect("memory")).expect("memory")).expect("an image");
    // Half a megabyte of words that share 127 bytes each: eight megabytes, seen before anything mentions them.
    let mut long = empty.clone();
    let base = [b'/'; 127];
    let words: Vec<Vec<u8>> =
        (0..60_000_u32).map(|number| [&base[..], format!("{number:06}").as_bytes()].concat()).collect();
    long.set_words(&words);
    // One long word in many entries.
    let mut often = empty.clone();
    often.set_words(&[vec![b'/'; 100_000]]);
    let number = |value| {
        let number = host::Number { radix: host::Radix::Decimal, value };
        NumberArg::Range(NumberRange { min: number, max: number })
    };
    let entries = (0..10_000).map(|value| (0, number(value))).collect();
    often.domains[0].runs = vec![Run { bits: 1, condition: None, entries: Entries::PathNumber(entries) }];
    // A long word under many conditions.
    let mut deep = empty.clone();
    deep.set_words(&[vec![b'/'; 100_000]]);
    for value in 0..1000 {
        deep.conditions.push(host::Condition {
            tests: vec![host::Test::Value {
                left: host::Value::Keyword(host::Keyword::Argc),
                negated: false,
                right: host::Value::Number(host::Number { radix: host::Radix::Decimal, value }),
            }],
            assignments: [None; 3],
        });
        let condition = Some(value as u32);
        deep.domains[0].runs.push(Run { bits: 4, condition, entries: Entries::Path(vec![0]) });
    }
    for (image, what, left) in [(long, "long", 0), (often, "often", 40_000), (deep, "deep", 5_000)] {
        let bytes = image.to_bytes().expect("small");
        assert!(bytes.len() < 1 << 20, "{what}: {}", bytes.len());
        let mut error = None;
        let used = allocation_counter::measure(|| error = load(&bytes, KEY, QUOTA).err());
        let error = error.expect("an error");
        assert!(error.flaw == Flaw::Quota, "{what}: {}", error.flaw.message());
        // The bytes of a block double and move.
        assert!(used.bytes_max < 3 * QUOTA as u64, "{what}: {}", used.bytes_max);
        assert!(bytes.len() - error.offset > left, "{what}: {} of {}", error.offset, bytes.len());
    }
}

/// Without a quota, the words of an image take no more than a certain number of bytes for each of theirs.
#[test]
fn words_take_memory_in_proportion() {
    let empty = compile(&Policy::new().expect("memory")).expect("memory");
    let empty = Image::from_bytes(&empty).expect("an image");
    let growing: Vec<u8> = (0..100_000_u32).flat_map(|number| [0x80 | number.min(127) as u8, b'a']).collect();
    for (packed, flaw) in [(growing, Flaw::Order), (vec![0xFF; 200_000], Flaw::Order)] {
        let mut image = empty.clone();
        image.packed_words = packed;
        let bytes = image.to_bytes().expect("small");
        let mut error = None;
        let used = allocation_counter::measure(|| error = load(&bytes, KEY, 0).err());
        assert!(error.is_some_and(|error| error.flaw == flaw));
        assert!(used.bytes_max < 80 * bytes.len() as u64, "{}", used.bytes_max);
    }
}

/// Words of all lengths, around the most that one shares with the next, plain, with escapes and with wildcards.
#[test]
fn words_of_all_lengths() {
    let mut lines = String::from("<kernel>\n");
    for len in (1..40).chain(110..150).chain([254, 255, 256, 400]) {
        let long = "/".repeat(len);
        for end in
            ["", "a", "b\\040", "b\\040c", "b\\*", "b\\*/c", "bbbbbbbbbbbbbbbbbbb", "bbbbbbbbbbbbbbbbbbbc"]
        {
            lines.push_str(&format!("allow_read {long}{end}\n"));
            lines.push_str(&format!("allow_write a{long}{end}{}\n", "x".repeat(len % 9)));
        }
        lines.push_str(&format!("<kernel> {long}a\nallow_read /a\n<kernel> {long}b /c\n"));
    }
    check(&load_texts(&[(File::Domain, &lines)]), "words of all lengths");
}
