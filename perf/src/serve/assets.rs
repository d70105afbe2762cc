//! The page's files, part of the binary: it works where there is no network but the one to us.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file: path, content type, content.
type Asset = (&'static str, &'static str, &'static str);

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// All of them.
pub const ALL: &[Asset] = &[
    (
        "/",
        "text/html; charset=utf-8",
        include_str!("../../web/index.html"),
    ),
    ("/style.css", STYLE, include_str!("../../web/style.css")),
    ("/app.js", SCRIPT, include_str!("../../web/app.js")),
    ("/charts.js", SCRIPT, include_str!("../../web/charts.js")),
    ("/format.js", SCRIPT, include_str!("../../web/format.js")),
    ("/stream.js", SCRIPT, include_str!("../../web/stream.js")),
    ("/tables.js", SCRIPT, include_str!("../../web/tables.js")),
    ("/theme.js", SCRIPT, include_str!("../../web/theme.js")),
    (
        "/favicon.svg",
        "image/svg+xml",
        include_str!("../../web/favicon.svg"),
    ),
    (
        "/vendor/uplot.js",
        SCRIPT,
        include_str!("../../web/vendor/uPlot.iife.min.js"),
    ),
    (
        "/vendor/uplot.css",
        STYLE,
        include_str!("../../web/vendor/uPlot.min.css"),
    ),
];

/// What every response carries. The policy: nothing but what comes from us, nothing inline, in nobody's frame.
pub const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    // A page of another version must not stay behind after an upgrade.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// A file as a response.
pub fn response((_, kind, content): Asset) -> Response {
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], content).into_response()
}
