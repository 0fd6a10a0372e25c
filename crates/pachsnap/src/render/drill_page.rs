//! The report of a drill as one page that needs nothing else: no script, no font, no picture from elsewhere.

use std::fmt::Write as _;

use orchestrator::drill::{DrillReport, Objective};
use orchestrator::verify::Verdict;

use super::units::{bytes, seconds};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--ok:#2a7d2e;--warn:#9a6700;--bad:#c62828}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{border-top:1px solid var(--line);padding:.35rem .6rem;text-align:left;vertical-align:top}
td.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.ok{color:var(--ok)}.warning{color:var(--warn)}.failed{color:var(--bad)}
.verdict{font-weight:600}.bar{background:#4a7ebb;height:.8rem;min-width:1px}
code{overflow-wrap:anywhere}li{margin:.2rem 0}";

/// The page.
pub(crate) fn drill_page(report: &DrillReport) -> String {
    let (class, verdict) = if report.passed { ("ok", "passed") } else { ("failed", "not passed") };
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Drill {id}: {verdict}</title>\n\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head><body>\n\
         <h1>Disaster recovery drill: <span class=\"{class}\">{verdict}</span></h1>\n",
        id = escape(report.drill.as_str()),
    );
    facts(&mut page, report);
    objectives(&mut page, report);
    steps(&mut page, report);
    checks(&mut page, report);
    list(&mut page, "What this path does not bring back", &report.not_back);
    list(&mut page, "What a person should know", &report.warnings);
    page.push_str("</body></html>\n");
    page
}

fn facts(page: &mut String, report: &DrillReport) {
    let rows = [
        ("drill", report.drill.to_string()),
        ("recovery point", format!("{} of cluster {}, captured {}", report.point, report.cluster, report.captured)),
        ("path", report.from.clone()),
        ("content", format!("pachd {}, {} objects, {}", report.pachd_version, report.objects, bytes(report.bytes))),
        ("scratch cluster", format!("namespace {}, bucket {}", report.namespace, report.bucket)),
        ("when", format!("{} to {}", report.started, report.ended)),
        ("made by", format!("pachsnap {}", report.tool)),
    ];
    page.push_str("<table>\n");
    for (name, value) in rows {
        let _ = writeln!(page, "<tr><th>{name}</th><td><code>{}</code></td></tr>", escape(&value));
    }
    page.push_str("</table>\n");
}

fn objectives(page: &mut String, report: &DrillReport) {
    page.push_str("<h2>Objectives</h2>\n<table><tr><th></th><th>measured</th><th>allowed</th><th></th></tr>\n");
    let rows = [
        (
            "Recovery time (RTO)",
            "from the drill's beginning until the restored cluster was proven",
            report.recovery_time,
        ),
        ("Data loss (RPO)", "from the capture of the recovery point until the drill's beginning", report.data_loss),
    ];
    for (name, about, objective) in rows {
        let Objective { seconds: measured, most } = objective;
        let (class, verdict) = match objective.is_met() {
            Some(true) => ("ok", "met"),
            Some(false) => ("failed", "not met"),
            None => ("", "nothing was asked for"),
        };
        let _ = writeln!(
            page,
            "<tr><td><b>{name}</b><br>{about}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td class=\"{class}\">{verdict}</td></tr>",
            measured.map_or_else(|| "not reached".to_owned(), seconds),
            most.map_or_else(|| "–".to_owned(), seconds),
        );
    }
    page.push_str("</table>\n");
}

fn steps(page: &mut String, report: &DrillReport) {
    page.push_str("<h2>Steps</h2>\n<table>\n");
    let longest = report.steps.iter().map(|step| step.seconds).fold(f64::MIN_POSITIVE, f64::max);
    for step in &report.steps {
        let _ = writeln!(
            page,
            "<tr><th>{}</th><td class=\"number\">{}</td><td style=\"width:30%\"><div class=\"bar\" style=\"width:{:.1}%\">\
             </div></td><td>{}</td></tr>",
            step.step,
            seconds(step.seconds),
            step.seconds / longest * 100.0,
            escape(&step.summary),
        );
    }
    page.push_str("</table>\n");
}

fn checks(page: &mut String, report: &DrillReport) {
    page.push_str("<h2>Checks</h2>\n<table>\n");
    for check in &report.checks {
        let (class, verdict) = match check.verdict {
            Verdict::Ok => ("ok", "ok"),
            Verdict::Warning => ("warning", "warning"),
            Verdict::Failed => ("failed", "failed"),
        };
        let findings: String =
            check.findings.iter().map(|finding| format!("<li>{}</li>", escape(&finding.to_string()))).collect();
        let findings = if findings.is_empty() { findings } else { format!("<ul>{findings}</ul>") };
        let _ = writeln!(
            page,
            "<tr><td class=\"verdict {class}\">{verdict}</td><th>{}</th><td>{}{findings}</td></tr>",
            escape(&check.name),
            escape(&check.detail),
        );
    }
    page.push_str("</table>\n");
}

fn list(page: &mut String, title: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
    let _ = writeln!(page, "<h2>{title}</h2>\n<ul>\n{items}</ul>");
}

/// Text that is shown as it is, whatever it holds: names come from the cluster.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(escape("<b>\"a\" & 'b'"), "&lt;b&gt;&quot;a&quot; &amp; &#39;b&#39;");
    }
}
