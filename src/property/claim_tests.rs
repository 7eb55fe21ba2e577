use super::*;
use crate::experiment::Arm;
use crate::property::fixtures::{CASES, case, recorded};

#[test]
fn show() {
    for (id, folder, variants) in CASES {
        for variant in variants {
            for arm in Arm::ALL {
                let timeline = recorded(folder, arm, variant);
                let scenario = case(id);
                let judged = judge(&scenario, &timeline);
                println!(
                    "== {id}{variant} {arm}: {}\n   why   {}\n   fight {:?}\n   needed {:?} watched {:?}\n   facts {}\n   pulse {}",
                    judged.verdict,
                    judged.why,
                    judged.fight,
                    judged.needed,
                    judged.watched,
                    Value::Object(judged.facts.clone()),
                    pulse(&scenario, &timeline)
                );
                if let Verdict::Inconclusive(why) = &judged.verdict {
                    println!("   INC {why}");
                }
            }
        }
    }
}
