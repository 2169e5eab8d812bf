// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Signatures

/// How engines name the buffers that they search.
extension ProtocolBuffer {
    /// In Suricata 7, before the contents: they are all sought there.
    var suricataKeywords: String {
        switch self {
        case .httpURI: "http.uri"
        case .httpRequestBody: "http.request_body"
        case .httpFormBody: "http.request_body; url_decode"
        case .httpResponseBody: "http.response_body"
        case .dnsQuery: "dns.query"
        }
    }

    /// In Snort 3, before the contents; `nil` for what Snort has no buffer of.
    var snort3Keyword: String? {
        switch self {
        case .httpURI: "http_uri"
        case .httpRequestBody: "http_client_body"
        case .httpResponseBody: "file_data"
        case .httpFormBody, .dnsQuery: nil
        }
    }

    /// In Snort 2.9, behind each content.
    var snort2Modifier: String? {
        switch self {
        case .httpURI: "http_uri"
        case .httpRequestBody: "http_client_body"
        case .httpFormBody, .httpResponseBody, .dnsQuery: nil
        }
    }

    /// In Snort 2.9, before the contents.
    var snort2Keyword: String? { self == .httpResponseBody ? "file_data" : nil }

    /// For people.
    public var title: String {
        switch self {
        case .httpURI: "the URI of HTTP requests"
        case .httpRequestBody: "the body of HTTP requests"
        case .httpFormBody: "the form in the body of HTTP requests"
        case .httpResponseBody: "the body of HTTP responses"
        case .dnsQuery: "the name in DNS queries"
        }
    }
}
