//! Other programs that remove or change our tables.

use ropeway_helper::{platform::Kernel, rules::Rules};

use crate::prelude::*;

/// Both kinds of rules in force.
fn loaded() -> Rules<Kernel> {
    let mut rules = library();
    rules.load(of(0, 1), session(0, Grant::All, plan(&["10.0.0.0/8"], &[], 12300))).unwrap();
    rules.block(of(7, 1), session_block(0, Grant::All, block(1, &["11.0.0.0/8", "fd00::/8"], &[]))).unwrap();
    assert_eq!(rules.check(), []);
    rules
}

#[test]
fn what_another_program_removes_or_changes_is_back_at_the_next_look() {
    in_world(|| {
        listen("tunnel", 12300);
        let mut rules = loaded();
        let first_set = || {
            let list = run("nft list table inet ropeway_ks");
            let name = list.split_whitespace().skip_while(|word| *word != "set").nth(1).map(str::to_owned);
            name.unwrap()
        };
        for harm in [
            "nft flush ruleset".to_owned(),
            "nft delete table inet ropeway_ks".to_owned(),
            "nft flush chain inet ropeway_ks output".to_owned(),
            "nft insert rule inet ropeway_ks output accept".to_owned(),
            format!("nft flush set inet ropeway_ks {}", first_set()),
            "nft add set inet ropeway_ks strange { type ipv4_addr; }".to_owned(),
        ] {
            assert!(try_to_reach("[fd00::1]:80").is_err(), "before {harm}");
            run(&harm);
            let changed = rules.check();
            assert_eq!(changed.len(), 1, "{harm}: {changed:?}");
            assert!(changed[0].mended && changed[0].clients == [of(7, 1).client], "{harm}");
            assert!(try_to_reach("[fd00::1]:80").is_err(), "after {harm}");
            assert_eq!(reached("10.1.2.3:80"), "tunnel 10.1.2.3:80");
            assert_eq!(rules.check(), []);
        }
    });
}

/// With as many elements as before, only a look at all of them shows it; not each look takes that time.
#[test]
fn other_elements_are_noticed_in_time() {
    in_world(|| {
        let mut rules = loaded();
        let list = run("nft list table inet ropeway_ks");
        let v4 = list.split("set ").find(|set| set.contains("11.0.0.0/8")).unwrap();
        let name = v4.split_whitespace().next().unwrap();
        nft_load(&format!(
            "flush set inet ropeway_ks {name}\nadd element inet ropeway_ks {name} {{ 12.0.0.0/8 }}\n"
        ));
        let noticed = (0..100).find(|_| !rules.check().is_empty());
        assert!(noticed.is_some());
        assert!(run("nft list table inet ropeway_ks").contains("11.0.0.0/8"));
    });
}

#[test]
fn a_look_changes_nothing() {
    in_world(|| {
        let mut rules = loaded();
        let before = run("nft -a list ruleset");
        (0..100).for_each(|_| assert_eq!(rules.check(), []));
        assert_eq!(run("nft -a list ruleset"), before);
    });
}
