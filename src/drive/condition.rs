//! What a case waits for, as a condition on the world that the watches show.

use kubeclash_timeline::words::{self, Range};
use kubeclash_timeline::{Object, World};

use crate::observe::{Condition, Poll};

/// A condition of a case as one that can be waited for: it says of what is missing what it last saw.
///
/// # Errors
/// When an object or a number has no such name; in words.
pub(super) fn condition(of: &words::Condition) -> Result<Condition, String> {
    let mut parts = Vec::new();
    for (name, numbers) in of {
        let object = Object::named(name)?;
        for (number, range) in numbers {
            if !object.numbers().contains(&number.as_str()) {
                return Err(format!(
                    "{name} has no number \"{number}\": it has {}",
                    object.numbers().join(", ")
                ));
            }
            parts.push(Part {
                name: name.clone(),
                object: object.clone(),
                number: number.clone(),
                range: *range,
            });
        }
    }
    if parts.is_empty() {
        return Err("there is nothing to wait for".to_owned());
    }
    Ok(Condition::new(words::condition(of), move |world| {
        let missing: Vec<String> = parts.iter().filter_map(|part| part.missing(world)).collect();
        if missing.is_empty() {
            Poll::Ready
        } else {
            Poll::Pending(missing.join(", "))
        }
    }))
}

/// One number that must be within a range.
struct Part {
    name: String,
    object: Object,
    number: String,
    range: Range,
}

impl Part {
    /// What it is in place of what it must be; nothing where it is that.
    fn missing(&self, world: &World) -> Option<String> {
        let Self { name, number, .. } = self;
        match self.object.read(number, world) {
            Some(read) if self.range.contains(read) => None,
            Some(read) => Some(format!("{name} {number} is {read}")),
            None => Some(format!("{name} has no {number} yet")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kubeclash_host::yaml;
    use kubeclash_timeline::testing::{Draft, s};

    fn look(text: &str, world: &World) -> Poll {
        condition(&yaml::read(text).unwrap()).unwrap().look(world)
    }

    #[test]
    fn all_of_it_must_hold_at_once_and_what_is_missing_is_told_with_its_number() {
        let draft = Draft::new("c1")
            .nodes(&["w1", "w2"])
            .deployment("web", 3, 2)
            .done();
        let world = draft.world_at(s(0.0));
        assert_eq!(
            look(
                "{deployment/web: {wanted: 3, available: '>= 2'}, nodes: {open: 2}}",
                &world
            ),
            Poll::Ready
        );
        assert_eq!(
            look(
                "{deployment/web: {wanted: 3, available: 3}, hpa/web: {cpu: '> 50 %'}}",
                &world
            ),
            Poll::Pending("deployment/web available is 2, hpa/web has no cpu yet".to_owned())
        );
    }

    #[test]
    fn what_has_no_such_number_is_told_before_anything_is_waited_for() {
        let told = |text: &str| condition(&yaml::read(text).unwrap()).unwrap_err();
        assert!(
            told("{nodes: {wanted: 3}}").contains("it has open, ready, all"),
            "{}",
            told("{nodes: {wanted: 3}}")
        );
        assert!(told("{web: {wanted: 3}}").contains("kind/name"));
        assert_eq!(told("{}"), "there is nothing to wait for");
    }
}
