// SPDX-License-Identifier: Apache-2.0

import Signatures

/// What an engine has in its buffers of HTTP/1.
enum HTTPBuffers {
    static func each(in bytes: [UInt8], isRequest: Bool, _ body: (BufferedBytes) -> Bool) {
        var messages = HTTPMessages(bytes, isRequest: isRequest)
        var budget = BodyDecoding.Budget(of: bytes.count)
        while let message = messages.next() {
            if let query = message.target.flatMap({ query(in: bytes[$0]) }), !body(query) { return }
            guard let whole = BodyDecoding.body(of: message, in: bytes, &budget) else {
                if budget.isSpent { return }
                continue
            }
            let isTransformed = message.body.count > 1 || !message.codings.isEmpty
            let buffer = isRequest ? ProtocolBuffer.httpRequestBody : .httpResponseBody
            guard body(BufferedBytes(buffer: buffer, bytes: whole, isTransformed: isTransformed)) else { return }
            if isRequest, let form = PercentDecoding.decoded(whole[...], isForm: true),
                !body(BufferedBytes(buffer: .httpFormBody, bytes: form, isTransformed: true))
            {
                return
            }
        }
    }

    /// A URI's query. What stands before it an engine changes by what kind of server it takes it for.
    private static func query(in target: ArraySlice<UInt8>) -> BufferedBytes? {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        let query = target[(mark + 1)...].prefix { $0 != UInt8(ascii: "#") }
        guard !query.isEmpty else { return nil }
        let decoded = PercentDecoding.decoded(query, isForm: false)
        return BufferedBytes(buffer: .httpURI, bytes: decoded ?? Array(query), isFromStart: false, isTransformed: decoded != nil)
    }
}
