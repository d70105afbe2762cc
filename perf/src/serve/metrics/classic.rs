//! The older text format, for those who do not ask for OpenMetrics: curl, `promtool check metrics`, older scrapers.
//!
//! The two differ in four ways only: the older one has a counter's `_total` and an info's `_info` in its HELP and
//! TYPE lines as well, knows no info type, no UNIT line and no end mark. So it is made out of the other, line by
//! line. <https://prometheus.io/docs/instrumenting/exposition_formats/>

/// OpenMetrics text as text format 0.0.4.
pub fn classic(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    // HELP comes before TYPE, and its name depends on the type.
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, words)) = help.take() {
                text += &format!("# HELP {name}{suffix} {words}\n");
            }
            text += &format!("# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with('#') {
            text += line;
            text.push('\n');
        }
    }
    text
}
