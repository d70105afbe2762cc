//! Whether a text is well-formed XML: enough of a parser to tell, and to see what elements there are.

/// Elements' names in the order that they open in, or the first fault.
pub fn elements(text: &str) -> Result<Vec<String>, String> {
    let (mut open, mut seen, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some(start) = rest.find('<') {
        characters(&rest[..start])?;
        rest = &rest[start..];
        let end = rest
            .find('>')
            .ok_or_else(|| fault("a tag does not end", rest))?;
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if tag == "!DOCTYPE html" {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            let opened = open.pop();
            if opened != Some(name) {
                return Err(format!("</{name}> closes {opened:?}"));
            }
            continue;
        }
        let (body, empty) = match tag.strip_suffix('/') {
            Some(body) => (body, true),
            None => (tag, false),
        };
        let (name, attributes) = body.split_once(' ').unwrap_or((body, ""));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(fault("no name", tag));
        }
        quoted(attributes)?;
        seen.push(name.to_owned());
        if !empty {
            open.push(name);
        }
    }
    characters(rest)?;
    match open.is_empty() {
        true => Ok(seen),
        false => Err(format!("never closed: {open:?}")),
    }
}

/// `a="b" c="d"`, each name once.
fn quoted(attributes: &str) -> Result<(), String> {
    let (mut names, mut rest) = (Vec::new(), attributes.trim());
    while !rest.is_empty() {
        let (name, value) = rest
            .split_once("=\"")
            .ok_or_else(|| fault("no value", rest))?;
        let (value, after) = value
            .split_once('"')
            .ok_or_else(|| fault("no quote", rest))?;
        if names.contains(&name)
            || !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-:".contains(c))
        {
            return Err(fault("a name", name));
        }
        characters(value)?;
        if value.contains('<') {
            return Err(fault("markup in an attribute", value));
        }
        names.push(name);
        rest = after.trim_start();
    }
    Ok(())
}

/// No character that XML lacks, no bare ampersand.
fn characters(text: &str) -> Result<(), String> {
    if let Some(odd) = text
        .chars()
        .find(|c| (c.is_control() && *c != '\n') || ['\u{fffe}', '\u{ffff}'].contains(c))
    {
        return Err(format!("character {odd:?}"));
    }
    for (place, _) in text.match_indices('&') {
        let known = ["&lt;", "&gt;", "&amp;", "&quot;", "&#39;"];
        if !known.iter().any(|entity| text[place..].starts_with(entity)) {
            return Err(fault("bare ampersand", &text[place..]));
        }
    }
    Ok(())
}

fn fault(what: &str, at: &str) -> String {
    format!("{what}: {}", at.chars().take(60).collect::<String>())
}

#[test]
fn faults_are_found() {
    for bad in [
        "<a>",
        "<a></b>",
        "<a b=c/>",
        "<a b=\"<\"/>",
        "a & b",
        "<a b=\"1\" b=\"2\"/>",
        "</a>",
        "<a",
        "\u{0}",
    ] {
        assert!(elements(bad).is_err(), "{bad}");
    }
    let good = "<a b=\"c\"><d/>&amp;</a>\n";
    assert_eq!(elements(good), Ok(vec!["a".into(), "d".into()]));
}
