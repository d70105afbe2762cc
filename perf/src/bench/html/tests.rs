use super::*;

#[test]
fn the_made_up_report_renders() {
    let page = render(&made_up::report());
    if let Some(path) = std::env::var_os("TWEED_BENCH_PAGE") {
        std::fs::write(path, &page).unwrap();
    }
    assert!(page.ends_with("</html>\n"));
}
