// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures
import TestSupport
import Testing

@testable import SuricataDelivery

@Suite("Suricata over a flow that carried an attack") struct CarrierRunTests {
    private let code = InertInstructions.bytes(200, seed: 5)

    private func capture(_ request: [UInt8]) -> [UInt8] {
        let conversation = Conversation(isVersion6: false, clientPort: 40000, serverPort: 80)
        return NetworkFrame.capture(conversation.connection(request: request, response: []), link: 101)
    }

    private func signature(_ bytes: some Sequence<UInt8>, in buffer: ProtocolBuffer? = nil) -> Signature {
        Signature(
            tokens: [.init(bytes: Array(bytes))],
            context: SignatureContext(transport: .tcp, ports: [80], direction: .toService, buffer: buffer))
    }

    @Test func `it fires by what the flow holds, where the rule looks, and by nothing else`() throws {
        let run = CarrierRun(SuricataSettings(action: .drop))
        let chunked = capture(HTTPText.chunkedRequest(body: code, chunk: 100))
        let window = code[84..<116]
        let began = ContinuousClock.now
        #expect(try run.outcome(of: signature(window, in: .httpRequestBody), over: chunked) == .init(passive: true, inline: true))
        print("two runs of Suricata over a flow of \(chunked.count) bytes: \((ContinuousClock.now - began) / .milliseconds(1)) ms")
        #expect(try run.outcome(of: signature(window), over: chunked) == .init(passive: false, inline: false))
        #expect(try run.outcome(of: signature(code[10..<42]), over: chunked) == .init(passive: true, inline: true))
        #expect(
            try run.outcome(of: signature(window.dropLast() + [(window.last ?? 0) ^ 1], in: .httpRequestBody), over: chunked)
                == .init(passive: false, inline: false))
    }

    @Test func `the site's own settings decide, and its logs are left alone`() throws {
        let folder = try TemporaryFolder()
        let log = folder.path + "/eve.json"
        let path = folder.path + "/suricata.yaml"
        let body = [UInt8](repeating: UInt8(ascii: "a"), count: 9000) + code
        func write(limit: String) throws {
            let text = """
                %YAML 1.1
                ---
                outputs:
                  - eve-log:
                      enabled: yes
                      filename: \(log)
                      types: [alert]
                unix-command:
                  enabled: yes
                  filename: \(folder.path)/s.sock
                app-layer:
                  protocols:
                    http:
                      enabled: yes
                      libhtp:
                        default-config:
                          request-body-limit: \(limit)

                """
            try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        }
        let run = CarrierRun(SuricataSettings(configurationFile: path))
        let capture = capture(HTTPText.chunkedRequest(body: body, chunk: 100))
        let signature = signature(code[84..<116], in: .httpRequestBody)
        try write(limit: "100kb")
        #expect(try run.outcome(of: signature, over: capture) == .init(passive: true, inline: true))
        try write(limit: "4kb")
        #expect(try run.outcome(of: signature, over: capture) == .init(passive: false, inline: false))
        #expect(!FileManager.default.fileExists(atPath: log) && !FileManager.default.fileExists(atPath: folder.path + "/s.sock"))
    }

    @Test func `what keeps it from an answer is said`() throws {
        let capture = capture(code)
        func refusal(_ settings: SuricataSettings, _ capture: [UInt8]) -> EpitopeError.Code? {
            do throws(EpitopeError) {
                _ = try CarrierRun(settings).outcome(of: signature(code[..<32]), over: capture)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(refusal(SuricataSettings(binaryPath: "/nonexistent/suricata"), capture) == .suricataAbsent)
        #expect(refusal(SuricataSettings(configurationFile: "/nonexistent/suricata.yaml"), capture) == .suricataRefused)
        #expect(refusal(SuricataSettings(commandTimeout: 0.001), capture) == .suricataTimeout)
        // Suricata says that it can't read it, and then may wait for its own threads for ever.
        let unreadable = refusal(SuricataSettings(commandTimeout: 5), Array("no capture at all".utf8))
        #expect(unreadable == .suricataRefused || unreadable == .suricataTimeout)
    }
}
