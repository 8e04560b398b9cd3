/* SPDX-License-Identifier: MIT */
/* URLs as text: what is taken, what is refused and where, and what references and paths mean. */
#include "check.h"
#include "proto/url.h"

#define SLICE(text) sos_slice_("" text, sizeof text - 1)

static void check_slice(struct sos_slice_ actual, const char *expected)
{
    char text[256];
    CHECK(actual.length < sizeof text);
    memcpy(text, actual.at, actual.length);
    text[actual.length] = '\0';
    CHECK_TEXT(text, expected);
}

static struct sos_url_ good(const char *text)
{
    struct sos_url_ url;
    struct sos_syntax_error_ error;
    if (sos_url_parse_(&url, sos_slice_text_(text), &error) != SOS_OK)
        CHECK_TEXT(error.rule, text);
    return url;
}

/* Also from memory that ends where the text does. */
static void refused(struct sos_slice_ text, int at)
{
    struct sos_url_ url;
    struct sos_syntax_error_ error;
    char *copy = malloc(text.length + 1);
    CHECK(copy != NULL);
    memcpy(copy + 1, text.at, text.length);
    CHECK_INT(sos_url_parse_(&url, sos_slice_(copy + 1, text.length), &error), SOS_EPROTO);
    CHECK(error.rule != NULL);
    CHECK_INT(error.at, at);
    CHECK_INT(sos_url_parse_(&url, text, NULL), SOS_EPROTO);
    free(copy);
}

static void a_url_has_parts(void)
{
    struct sos_url_ url = good("HTTPS://us%40r:p:w@Host.example:8443/a/b;c?d=e?f#g/h");
    CHECK(url.scheme == SOS_URL_HTTPS_ && url.is_secure && url.has_port && url.has_password);
    CHECK_INT(url.port, 8443);
    check_slice(url.user, "us%40r");
    check_slice(url.password, "p:w");
    check_slice(url.host, "Host.example");
    check_slice(url.path, "/a/b;c");
    check_slice(url.query, "d=e?f");
    check_slice(url.fragment, "g/h");
    check_slice(url.target, "/a/b;c?d=e?f");
    check_slice(url.authority, "us%40r:p:w@Host.example:8443");
    url = good("ws://a?");
    CHECK(url.has_query && !url.has_fragment && !url.has_user && !url.has_port);
    CHECK_INT(url.port, 80);
    check_slice(url.path, "");
    check_slice(url.target, "?");
    CHECK_INT(good("mqtts://a").port, 8883);
    CHECK_INT(good("redis://a:/").port, 6379);
    check_slice(good("unix:/run/x.sock").path, "/run/x.sock");
    check_slice(good("unix:///run/x.sock").path, "/run/x.sock");
}

static void a_host_is_a_name_or_an_address(void)
{
    struct sos_url_ url = good("http://[fe80::1%25eth0]:81/");
    CHECK(url.is_ipv6);
    check_slice(url.host, "fe80::1");
    check_slice(url.zone, "eth0");
    char text[32];
    CHECK_INT(sos_url_write_host_(&url, text, sizeof text), 12);
    check_slice(sos_slice_(text, 12), "[fe80::1]:81");
    CHECK_INT(sos_url_write_host_(&url, text, 11), SOS_ELIMIT);
    good("http://1.2.3.4/");
    good("http://a_b-c.example./");
    refused(SLICE("http:///x"), 7);
    refused(SLICE("http://a..b"), 7);
    refused(SLICE("http://a%62"), 7);
    refused(SLICE("http://\xC3\xBC"), 7);
    refused(SLICE("http://127.1"), 7);
    refused(SLICE("http://0x7f000001"), 7);
    refused(SLICE("http://1.2.3.04"), 7);
    refused(SLICE("http://[::1"), 7);
    refused(SLICE("http://[::1]x"), 12);
    refused(SLICE("http://[::1%eth0]"), 7);
    refused(SLICE("http://[1:2:3:4:5:6:7:8:9]"), 7);
}

static void an_ipv6_address_has_eight_groups_or_one_gap(void)
{
    static const char *const yes[] = { "::",
                                       "::1",
                                       "1::",
                                       "1:2:3:4:5:6:7:8",
                                       "1:2:3:4:5:6:7::",
                                       "::ffff:1.2.3.4",
                                       "1:2:3:4:5:6:1.2.3.4" };
    static const char *const no[] = { "",
                                      ":",
                                      ":::",
                                      "1",
                                      "1:",
                                      ":1",
                                      "1::2::3",
                                      "12345::",
                                      "g::",
                                      "1:2:3:4:5:6:7",
                                      "::1:2:3:4:5:6:7:8",
                                      "1.2.3.4",
                                      "::1.2.3",
                                      "::1.2.3.4:5",
                                      "1:2:3:4:5:6:7:1.2.3.4",
                                      "::1:" };
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (!sos_url_is_ipv6_(sos_slice_text_(yes[i])))
            CHECK_TEXT("refused", yes[i]);
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (sos_url_is_ipv6_(sos_slice_text_(no[i])))
            CHECK_TEXT("taken", no[i]);
    }
}

static void what_is_no_url_is_refused_where_it_goes_wrong(void)
{
    refused(SLICE(""), 0);
    refused(SLICE("ftp://a"), 0);
    refused(SLICE("http"), 0);
    refused(SLICE("http:/a"), 5);
    refused(SLICE("http://a:0/"), 8);
    refused(SLICE("http://a:65536"), 8);
    refused(SLICE("http://a:+1"), 8);
    refused(SLICE("http://a b"), 7);
    refused(SLICE("http://a/ b"), 9);
    refused(SLICE("http://a/\0"), 9);
    refused(SLICE("http://a/%4"), 9);
    refused(SLICE("http://a/?%zz"), 10);
    refused(SLICE("http://a/\r\nX"), 9);
    refused(SLICE("http://a@b@c/"), 8);
    refused(SLICE("unix:x"), 5);
}

/* What `reference` means, seen from the base of RFC 3986, 5.4; "" if refused. */
static void means(const char *reference, const char *expected)
{
    struct sos_url_ base = good("http://a/b/c/d;p?q");
    char text[128] = "";
    int length = sos_url_resolve_(&base, sos_slice_text_(reference), text, sizeof text - 1);
    check_slice(sos_slice_(text, length > 0 ? (size_t)length : 0), expected);
    for (int size = 0; size < length; size++)
        CHECK_INT(sos_url_resolve_(&base, sos_slice_text_(reference), text, (size_t)size),
                  SOS_ELIMIT);
}

static void references_mean_what_rfc_3986_says(void)
{
    static const char *const examples[][2] = {
        { "g", "http://a/b/c/g" },
        { "./g", "http://a/b/c/g" },
        { "g/", "http://a/b/c/g/" },
        { "/g", "http://a/g" },
        { "//g", "http://g" },
        { "?y", "http://a/b/c/d;p?y" },
        { "g?y", "http://a/b/c/g?y" },
        { "#s", "http://a/b/c/d;p?q#s" },
        { "g?y#s", "http://a/b/c/g?y#s" },
        { ";x", "http://a/b/c/;x" },
        { "", "http://a/b/c/d;p?q" },
        { ".", "http://a/b/c/" },
        { "..", "http://a/b/" },
        { "../", "http://a/b/" },
        { "../g", "http://a/b/g" },
        { "../..", "http://a/" },
        { "../../g", "http://a/g" },
        { "../../../g", "http://a/g" },
        { "/./g", "http://a/g" },
        { "/../g", "http://a/g" },
        { "g.", "http://a/b/c/g." },
        { "..g", "http://a/b/c/..g" },
        { "./g/.", "http://a/b/c/g/" },
        { "g;x=1/../y", "http://a/b/c/y" },
        { "g?y/../x", "http://a/b/c/g?y/../x" },
        { "https://x:1/y", "https://x:1/y" },
    };
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        means(examples[i][0], examples[i][1]);
}

static void a_location_is_mended_or_refused(void)
{
    means("a b\"\xC3\xBC", "http://a/b/c/a%20b%22%C3%BC");
    means("a%2", "http://a/b/c/a%252");
    means("g?[]={|}^`#[]", "http://a/b/c/g?[]={|}^`#[]"); /* as in a URL that is no reference */
    means("[]", "http://a/b/c/%5B%5D");
    means("http:g", "");
    means("mailto:x", "");
    means("javascript:x", "");
    means("unix:///x", "");
    means("g\r\nX: y", "");
    means("//", "");
}

static void user_and_password_stay_with_their_host(void)
{
    struct sos_url_ base = good("http://u:p@a/x");
    char text[64];
    int length = sos_url_resolve_(&base, SLICE("y"), text, sizeof text);
    check_slice(sos_slice_(text, (size_t)length), "http://u:p@a/y");
    length = sos_url_resolve_(&base, SLICE("//b/y"), text, sizeof text);
    check_slice(sos_slice_(text, (size_t)length), "http://b/y");
}

static void is_file(struct sos_slice_ path, const char *expected)
{
    char text[64];
    int length = sos_url_file_path_(path, text, path.length);
    CHECK(length > 0);
    check_slice(sos_slice_(text, (size_t)length), expected);
}

static int file_error(struct sos_slice_ path)
{
    char text[64];
    return sos_url_file_path_(path, text, sizeof text);
}

static void a_path_never_leaves_its_folder(void)
{
    is_file(SLICE("/"), "/");
    is_file(SLICE("/a/b"), "/a/b");
    is_file(SLICE("//a///b/"), "/a/b/");
    is_file(SLICE("/a/./b/../c"), "/a/c");
    is_file(SLICE("/a/%2E%2e"), "/");
    is_file(SLICE("/a%20b/%C3%BC"), "/a b/\xC3\xBC");
    is_file(SLICE("/%252e"), "/%2e");
    CHECK_INT(file_error(SLICE("/..")), SOS_EACCES);
    CHECK_INT(file_error(SLICE("/a/../..")), SOS_EACCES);
    CHECK_INT(file_error(SLICE("/%2e%2E/a")), SOS_EACCES);
    CHECK_INT(file_error(SLICE("a")), SOS_EPROTO);
    CHECK_INT(file_error(SLICE("/a%2fb")), SOS_EPROTO);
    CHECK_INT(file_error(SLICE("/..%5c")), SOS_EPROTO);
    CHECK_INT(file_error(SLICE("/a%00")), SOS_EPROTO);
    CHECK_INT(file_error(SLICE("/%C0%AE")), SOS_EPROTO);
    CHECK_INT(file_error(SLICE("/%ED%A0%80")), SOS_EPROTO);
    CHECK_INT(file_error(SLICE("/%C3")), SOS_EPROTO);
    CHECK_INT(file_error(SLICE("/%4")), SOS_EPROTO);
}

static void queries_are_written_and_read(void)
{
    char text[64], value_text[16];
    struct sos_sink_ sink = sos_sink_(text, sizeof text);
    sos_url_query_add_(&sink, SLICE("a b"), SLICE("&=+"));
    sos_url_query_add_number_(&sink, SLICE("n"), INT64_MIN);
    sos_url_query_add_bool_(&sink, SLICE("t"), true);
    struct sos_slice_ query = sos_slice_(text, (size_t)sos_sink_end_(&sink)), key, value;
    check_slice(query, "a%20b=%26%3D%2B&n=-9223372036854775808&t=true");
    CHECK(sos_url_query_next_(&query, &key, &value));
    CHECK_INT(sos_url_decode_(value, true, value_text, sizeof value_text), 3);
    check_slice(sos_slice_(value_text, 3), "&=+");
    query = SLICE("&&a&b=1=2&");
    CHECK(sos_url_query_next_(&query, &key, &value) && value.length == 0);
    check_slice(key, "a");
    CHECK(sos_url_query_next_(&query, &key, &value));
    check_slice(value, "1=2");
    CHECK(!sos_url_query_next_(&query, &key, &value));
    CHECK_INT(sos_url_decode_(SLICE("a+b%4"), true, text, sizeof text), SOS_EPROTO);
}

int main(void)
{
    a_url_has_parts();
    a_host_is_a_name_or_an_address();
    an_ipv6_address_has_eight_groups_or_one_gap();
    what_is_no_url_is_refused_where_it_goes_wrong();
    references_mean_what_rfc_3986_says();
    a_location_is_mended_or_refused();
    user_and_password_stay_with_their_host();
    a_path_never_leaves_its_folder();
    queries_are_written_and_read();
    return 0;
}
