/* SPDX-License-Identifier: MIT */
/* Whom TLS trusts: each certificate that must be refused is, by name, and good ones are not. */
#include <unistd.h>

#include "tls_world.h"

/* ---- Good ones */

static void expect_good(const char *host, const char *server, struct sos_tls_options client)
{
    struct tls_meeting meeting = { .host = host, .server = tls_server(server), .client = client };
    tls_meet(&meeting);
    CHECK_TEXT(meeting.at_client.text, "");
    CHECK_INT(meeting.at_client.status, SOS_OK);
    CHECK_INT(meeting.at_client.last, SOS_OK);
    CHECK_INT(meeting.at_server.status, SOS_OK);
    CHECK_INT(meeting.at_server.last, SOS_OK);
    CHECK_INT(meeting.at_client.info.version, SOS_TLS_1_3);
    CHECK(!meeting.at_client.info.resumed && meeting.at_client.info.cipher[0] != '\0');
    CHECK_TEXT(meeting.at_server.info.subject, "");
}

static void good_ones_pass(void)
{
    struct sos_tls_options revoking = tls_client();
    revoking.crl = (struct sos_tls_pem){ .file = certificate("crl.pem") };
    expect_good("server.test", "good", tls_client());
    expect_good("localhost", "good", tls_client());
    expect_good("127.0.0.1", "good", tls_client());
    expect_good("::1", "good", tls_client());
    expect_good("a.server.test", "wildcard", tls_client());
    expect_good("server.test", "chain", tls_client());
    expect_good("server.test", "good", revoking);
}

/* The name of the certificate is not the one connected to. */
static void another_name_may_be_asked_for(void)
{
    struct sos_tls_options client = tls_client();
    client.server_name = "other.test";
    expect_good("server.test", "other_name", client);
    client.server_name = "192.0.2.1";
    expect_good("server.test", "other_name", client);
    client.server_name = "other.test.";
    expect_good("server.test", "other_name", client);
}

static void the_system_store_is_the_default(void)
{
    setenv("SSL_CERT_FILE", certificate("ca.pem"), 1);
    expect_good("server.test", "good", (struct sos_tls_options){ .insecure = false });
    unsetenv("SSL_CERT_FILE");
}

/* ---- Bad ones */

static void expect_bad(const char *host, const char *server, struct sos_tls_options client,
                       const char *text, const char *alert)
{
    char heard[128];
    struct tls_meeting meeting = { .host = host, .server = tls_server(server), .client = client };
    tls_meet(&meeting);
    CHECK_TEXT(meeting.at_client.text, text);
    CHECK_INT(meeting.at_client.status, SOS_ETLS);
    CHECK_INT(meeting.at_server.status, SOS_ETLS);
    snprintf(heard, sizeof heard, "the other end ended the handshake with the alert \"%s\"", alert);
    CHECK_TEXT(meeting.at_server.text, heard);
}

static void what_is_out_of_time_is_refused(void)
{
    expect_bad("server.test", "expired", tls_client(),
               "certificate of \"server.test\" (CN=expired, issuer CN=ca): expired on 2021-01-01",
               "certificate expired");
    expect_bad("server.test", "future", tls_client(),
               "certificate of \"server.test\" (CN=future, issuer CN=ca): "
               "not valid before 2090-01-01",
               "bad certificate");
}

static uint64_t no_time(struct sos_kernel *kernel)
{
    (void)kernel;
    return 0;
}

static void a_clock_that_is_not_set_is_named(void)
{
    struct tls_meeting meeting = { .server = tls_server("good"), .client = tls_client() };
    tls_world_open(NULL);
    world.kernel->wall_clock = no_time;
    tls_meet_here(&meeting);
    tls_world_close();
    CHECK_INT(meeting.at_client.status, SOS_ETLS);
    CHECK(strstr(meeting.at_client.text, "not valid before ") != NULL);
    CHECK(strstr(meeting.at_client.text, "but the clock is not set: it says 1970-01-01") != NULL);
}

static void another_name_is_refused(void)
{
    expect_bad("server.test", "other_name", tls_client(),
               "certificate of \"server.test\" (CN=other_name, issuer CN=ca): name does not match: "
               "\"server.test\" was asked for, and it is for other.test, address 192.0.2.1",
               "bad certificate");
    expect_bad("127.0.0.1", "other_name", tls_client(),
               "certificate of \"127.0.0.1\" (CN=other_name, issuer CN=ca): name does not match: "
               "\"127.0.0.1\" was asked for, and it is for other.test, address 192.0.2.1",
               "bad certificate");
}

/* The common name is not looked at. */
static void the_common_name_is_no_name(void)
{
    struct sos_tls_options client = tls_client();
    client.server_name = "client";
    expect_bad("server.test", "client", client,
               "certificate of \"client\" (CN=client, issuer CN=ca): name does not match: "
               "\"client\" was asked for, and it is for client.test",
               "bad certificate");
}

static void a_wildcard_stands_for_one_label(void)
{
    expect_bad("a.b.server.test", "wildcard", tls_client(),
               "certificate of \"a.b.server.test\" (CN=wildcard, issuer CN=ca): "
               "name does not match: \"a.b.server.test\" was asked for, and it is for "
               "*.server.test",
               "bad certificate");
    expect_bad("a.b.server.test", "two_labels", tls_client(),
               "certificate of \"a.b.server.test\" (CN=two_labels, issuer CN=ca): "
               "name does not match: \"a.b.server.test\" was asked for, and it is for "
               "*.*.server.test",
               "bad certificate");
    expect_bad("server.test", "wildcard", tls_client(),
               "certificate of \"server.test\" (CN=wildcard, issuer CN=ca): name does not match: "
               "\"server.test\" was asked for, and it is for *.server.test",
               "bad certificate");
}

static void who_is_not_trusted_is_refused(void)
{
    expect_bad("server.test", "self_signed", tls_client(),
               "certificate of \"server.test\" (CN=self_signed, issuer CN=self_signed): "
               "self-signed, and not itself trusted",
               "unknown CA");
    expect_bad("server.test", "stranger", tls_client(),
               "certificate of \"server.test\" (CN=stranger, issuer CN=other_ca): "
               "unknown CA: no trusted certificate leads to it",
               "unknown CA");
    expect_bad("server.test", "leaf", tls_client(),
               "certificate of \"server.test\" (CN=leaf, issuer CN=middle): "
               "unknown CA: no trusted certificate leads to it",
               "unknown CA");
}

static void what_is_revoked_is_refused(void)
{
    struct sos_tls_options client = tls_client();
    expect_good("server.test", "revoked", client);
    client.crl = (struct sos_tls_pem){ .file = certificate("crl.pem") };
    expect_bad("server.test", "revoked", client,
               "certificate of \"server.test\" (CN=revoked, issuer CN=ca): revoked by its issuer",
               "certificate revoked");
    expect_bad("server.test", "chain", client,
               "certificate of \"server.test\" (CN=leaf, issuer CN=middle): "
               "its issuer has no revocation list in `crl`",
               "unknown CA");
}

/* Each runtime is told once, and by no other check. */
static void insecure_connects_and_is_told_once(void)
{
    struct tls_meeting meeting = { .server = tls_server("expired"),
                                   .client = { .insecure = true } };
    tls_world_open(NULL);
    tls_meet_here(&meeting);
    CHECK_INT(meeting.at_client.status, SOS_OK);
    CHECK_INT(meeting.at_client.last, SOS_OK);
    tls_meet_here(&meeting);
    CHECK_INT(meeting.at_client.status, SOS_OK);
    world_trace("0 ! insecure: client_end\n");
    tls_world_close();
}

/* ---- Certificates of clients */

static struct tls_meeting meet_with_client_certificate(const char *name, uint8_t version)
{
    struct tls_meeting meeting = { .server = tls_server("good"), .client = tls_client() };
    struct sos_tls_options own = name != NULL ? tls_server(name) : (struct sos_tls_options){ 0 };
    meeting.server.ask = true;
    meeting.server.max_version = version;
    meeting.server.ca = (struct sos_tls_pem){ .file = certificate("ca.pem") };
    meeting.client.certificate = own.certificate;
    meeting.client.key = own.key;
    tls_meet(&meeting);
    return meeting;
}

static void a_client_shows_its_certificate(void)
{
    for (uint8_t version = SOS_TLS_1_2; version <= SOS_TLS_1_3; version++) {
        struct tls_meeting meeting = meet_with_client_certificate("client", version);
        CHECK_TEXT(meeting.at_client.text, "");
        CHECK_INT(meeting.at_client.status, SOS_OK);
        CHECK_INT(meeting.at_client.last, SOS_OK);
        CHECK_INT(meeting.at_server.last, SOS_OK);
        CHECK_INT(meeting.at_server.info.version, version);
        CHECK_TEXT(meeting.at_server.info.subject, "CN=client");
        CHECK_TEXT(meeting.at_client.info.subject, "CN=good");
    }
}

/* With TLS 1.3 the client hears of it when it reads: its own handshake is over before. */
static void expect_client_refused(const char *name, const char *text, const char *alert)
{
    char heard[128];
    for (uint8_t version = SOS_TLS_1_2; version <= SOS_TLS_1_3; version++) {
        struct tls_meeting meeting = meet_with_client_certificate(name, version);
        bool early = version == SOS_TLS_1_2;
        snprintf(heard, sizeof heard, "the other end ended the %s with the alert \"%s\"",
                 early ? "handshake" : "connection", alert);
        CHECK_INT(meeting.at_server.status, SOS_ETLS);
        CHECK_TEXT(meeting.at_server.text, text);
        CHECK_INT(meeting.at_client.status, early ? SOS_ETLS : SOS_OK);
        CHECK_INT(meeting.at_client.last, SOS_ETLS);
        CHECK_TEXT(early ? meeting.at_client.text : meeting.at_client.last_text, heard);
    }
}

static void clients_without_a_good_one_are_refused(void)
{
    struct tls_meeting without = meet_with_client_certificate(NULL, SOS_TLS_1_3);
    CHECK_INT(without.at_server.status, SOS_ETLS);
    CHECK_TEXT(without.at_server.text, "the client showed no certificate");
    CHECK_INT(without.at_client.last, SOS_ETLS);
    CHECK_TEXT(without.at_client.last_text, "the other end ended the connection with the alert "
                                            "\"certificate required\"");
    expect_client_refused("stranger",
                          "certificate of the client (CN=stranger, issuer CN=other_ca): "
                          "unknown CA: no trusted certificate leads to it",
                          "unknown CA");
    expect_client_refused("expired",
                          "certificate of the client (CN=expired, issuer CN=ca): "
                          "expired on 2021-01-01",
                          "certificate expired");
}

/* ---- Options that cannot be */

static void expect_no_context(struct sos_tls_options options, enum sos_tls_side side, int status,
                              const char *text)
{
    char why[SOS_TLS_TEXT] = "";
    sos_tls_context *context = (sos_tls_context *)(void *)why;
    tls_world_open(NULL);
    options.error_text = why;
    options.error_text_size = sizeof why;
    CHECK_INT(sos_tls_context_open(world.os, &options, side, &context), status);
    CHECK_TEXT(why, text);
    CHECK(context == NULL);
    tls_world_close();
}

static void what_is_wrong_with_the_options_is_told(void)
{
    const struct sos_tls_pem good = { .file = certificate("good.pem") },
                             good_key = { .file = certificate("good.key") },
                             other_key = { .file = "ca.key" }, none = { .file = "no.pem" },
                             text = { .bytes = "what?", .size = 5 };
    const enum sos_tls_side client = SOS_TLS_CLIENT, server = SOS_TLS_SERVER;
    CHECK_INT(chdir(certificate("")), 0);
    expect_no_context((struct sos_tls_options){ .ca = none }, client, SOS_ENOENT,
                      "CA \"no.pem\": No such file or directory");
    expect_no_context((struct sos_tls_options){ .ca = text }, client, SOS_ETLS,
                      "CA: holds no certificate");
    expect_no_context((struct sos_tls_options){ .crl = text }, client, SOS_ETLS,
                      "revocation list: holds none");
    expect_no_context((struct sos_tls_options){ .certificate = good, .key = text }, server,
                      SOS_ETLS, "key: holds none, or one with a password");
    expect_no_context((struct sos_tls_options){ .certificate = text, .key = good_key }, server,
                      SOS_ETLS, "certificate: holds none");
    expect_no_context((struct sos_tls_options){ .certificate = good, .key = other_key }, server,
                      SOS_ETLS, "key \"ca.key\": does not fit the certificate");
    expect_no_context((struct sos_tls_options){ .certificate = good }, client, SOS_EINVAL,
                      "a certificate and its key are needed");
    expect_no_context((struct sos_tls_options){ .alpn = NULL }, server, SOS_EINVAL,
                      "a certificate and its key are needed");
    expect_no_context(
        (struct sos_tls_options){ .min_version = SOS_TLS_1_3, .max_version = SOS_TLS_1_2 }, client,
        SOS_EINVAL, "min_version and max_version leave no TLS version");
    expect_no_context((struct sos_tls_options){ .alpn = "h2," }, client, SOS_EINVAL,
                      "alpn: empty, or a name that is too long");
}

/* From memory they are as good as from a file. */
static void certificates_may_be_bytes(void)
{
    static char bytes[3][8192];
    static const char *const names[] = { "ca.pem", "good.pem", "good.key" };
    struct sos_tls_pem pem[3];
    for (int index = 0; index < 3; index++) {
        FILE *file = fopen(certificate(names[index]), "r");
        CHECK(file != NULL);
        pem[index] = (struct sos_tls_pem){
            .bytes = bytes[index], .size = fread(bytes[index], 1, sizeof bytes[index], file)
        };
        fclose(file);
    }
    struct tls_meeting meeting = { .server = { .certificate = pem[1], .key = pem[2] },
                                   .client = { .ca = pem[0] } };
    tls_meet(&meeting);
    CHECK_INT(meeting.at_client.last, SOS_OK);
}

int main(void)
{
    if (!certificates_make())
        return 0;
    good_ones_pass();
    another_name_may_be_asked_for();
    the_system_store_is_the_default();
    what_is_out_of_time_is_refused();
    a_clock_that_is_not_set_is_named();
    another_name_is_refused();
    the_common_name_is_no_name();
    a_wildcard_stands_for_one_label();
    who_is_not_trusted_is_refused();
    what_is_revoked_is_refused();
    insecure_connects_and_is_told_once();
    a_client_shows_its_certificate();
    clients_without_a_good_one_are_refused();
    what_is_wrong_with_the_options_is_told();
    certificates_may_be_bytes();
    return 0;
}
