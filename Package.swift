// swift-tools-version: 6.2
import PackageDescription

/// Settings that every Swift target builds with: Swift 6 mode comes from the tools version, these make the
/// existing imports and existentials explicit.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A pure module: decisions as values. It may depend on other pure modules only (Scripts/check-arrows).
func pure(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A shell module: it does the I/O around the pure ones.
func shell(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

/// A C library of the system.
func library(_ name: String, pkgConfig: String, package: String) -> Target {
    .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: strict)
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let swiftASN1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")

let package = Package(
    name: "epitope",
    products: [
        .executable(name: "epitope", targets: ["epitope"]),
        .executable(name: "epitope-agent", targets: ["epitope-agent"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The words, and the decisions: pure.
        pure("EpitopeModel"),
        pure("BehaviourBlocking", ["EpitopeModel"]),
        pure("Extraction", ["EpitopeModel"]),
        pure("Signatures", ["EpitopeModel", crypto]),
        pure("Novelty", ["EpitopeModel", crypto]),
        pure("Correlation", ["EpitopeModel", "Signatures"]),
        library("CCapstone", pkgConfig: "capstone", package: "libcapstone-dev"),
        pure("Disassembly", ["EpitopeModel", "CCapstone"]),
        pure("GoodwareIndex", ["EpitopeModel", "Signatures"]),
        pure("StreamReassembly", ["EpitopeModel"]),
        pure("WireProof", ["EpitopeModel", "Signatures", "StreamReassembly"]),
        pure("TokenSequences", ["EpitopeModel", "Signatures"]),
        pure(
            "SignatureMaking",
            ["EpitopeModel", "Signatures", "Disassembly", "GoodwareIndex", "TokenSequences", "WireProof", "StreamReassembly"]),
        pure("Rendering", ["EpitopeModel", "Signatures", crypto]),
        pure("PacketCoding", ["EpitopeModel", "Signatures", protobuf]),
        shell("SettingsFiles", ["EpitopeModel"]),

        // The host.
        pure("UnwindTables"),
        .target(name: "CProcessFiles"),
        shell("SystemCalls", ["CProcessFiles", "EpitopeModel"]),
        .target(name: "CPrivileges"),
        shell("AgentLifeCycle", ["CPrivileges", "CProcessFiles", "EpitopeModel"]),
        .target(name: "CSeccomp"),
        shell("SeccompBackend", ["CProcessFiles", "CSeccomp", "EpitopeModel", "BehaviourBlocking", "Extraction", "SystemCalls", "UnwindTables"]),
        library("CBpf", pkgConfig: "libbpf", package: "libbpf-dev"),
        .target(name: "CKernelProgram", dependencies: ["CBpf"]),
        .executableTarget(name: "embed-program", path: "Tools/EmbedProgram", swiftSettings: strict),
        .plugin(name: "KernelProgram", capability: .buildTool(), dependencies: ["embed-program"]),
        .target(
            name: "KernelBackend",
            dependencies: ["CProcessFiles", "CKernelProgram", "EpitopeModel", "BehaviourBlocking", "Extraction", "SystemCalls", "UnwindTables"],
            swiftSettings: strict, plugins: ["KernelProgram"]),
        shell("HostParameters", ["CProcessFiles", "EpitopeModel", "SystemCalls", crypto]),
        shell("HostPolicy", ["CProcessFiles", "EpitopeModel", "BehaviourBlocking", "SettingsFiles", "SystemCalls", "HostParameters"]),
        shell("HostStore", ["EpitopeModel", "Novelty", "PacketCoding", grdb]),

        // The channel.
        shell(
            "SecureChannel",
            ["EpitopeModel", "Signatures", "PacketCoding", crypto, x509, swiftASN1, nioCore, nioPosix, nioSSL, nioHTTP1, asyncHTTPClient]),

        shell(
            "HostPipeline",
            [
                "EpitopeModel", "Extraction", "Signatures", "Novelty", "PacketCoding", "HostParameters", "HostStore",
                "SecureChannel", logging, serviceLifecycle,
            ]),

        // What the front ends of a host share.
        shell(
            "HostFrontEnd",
            [
                "EpitopeModel", "BehaviourBlocking", "Extraction", "Novelty", "HostParameters", "HostStore", "HostPipeline",
                "HostPolicy", "SecureChannel", "AgentLifeCycle", "KernelBackend", argumentParser, logging,
            ]),
        .executableTarget(
            name: "epitope-agent",
            dependencies: [
                "EpitopeModel", "BehaviourBlocking", "AgentLifeCycle", "KernelBackend", "SeccompBackend", "HostFrontEnd", "HostParameters",
                "HostPolicy", argumentParser, logging, unixSignals,
            ],
            swiftSettings: strict),

        // What signatures are proven with.
        library("CPcap", pkgConfig: "libpcap", package: "libpcap-dev"),
        shell("Captures", ["CPcap", "EpitopeModel", "StreamReassembly"]),
        library("CHyperscan", pkgConfig: "libhs", package: "libhyperscan-dev"),
        shell("PatternScan", ["CHyperscan", "EpitopeModel", "Signatures"]),
        library("CArchive", pkgConfig: "libarchive", package: "libarchive-dev"),
        shell(
            "GoodwareFiles",
            ["CArchive", "EpitopeModel", "Signatures", "GoodwareIndex", "StreamReassembly", "Captures", "PatternScan", crypto]),
        shell("ProgramRuns", []),
        shell("EngineAcceptance", ["EpitopeModel", "Signatures", "Rendering", "ProgramRuns"]),
        shell(
            "SignatureProving",
            [
                "EpitopeModel", "Signatures", "Correlation", "GoodwareIndex", "StreamReassembly", "WireProof", "TokenSequences",
                "SignatureMaking", "Rendering", "PacketCoding", "Captures", "PatternScan", "GoodwareFiles", "EngineAcceptance",
            ]),

        // The centers.
        shell("SuricataDelivery", ["EpitopeModel", "Rendering", "Signatures", "ProgramRuns"]),
        shell(
            "CenterStore",
            ["EpitopeModel", "SettingsFiles", "Signatures", "Correlation", "Novelty", "PacketCoding", "Rendering", "TokenSequences", "SignatureMaking", "SignatureProving", "SecureChannel", grdb]),
        shell(
            "CenterServer",
            [
                "EpitopeModel", "Signatures", "PacketCoding", "SecureChannel", hummingbird, hummingbirdCore, httpTypes, logging, serviceLifecycle,
                nioCore, nioSSL,
            ]),
        shell(
            "LocalCenter",
            [
                "EpitopeModel", "SettingsFiles", "Signatures", "Correlation", "Rendering", "PacketCoding", "SecureChannel", "CenterStore",
                "CenterServer", "SignatureProving", "SuricataDelivery", logging, serviceLifecycle,
            ]),
        shell(
            "GlobalCenter",
            [
                "EpitopeModel", "SettingsFiles", "Signatures", "Correlation", "PacketCoding", "SecureChannel", "CenterStore",
                "CenterServer", "SignatureProving", logging, serviceLifecycle,
            ]),

        // The front end.
        .executableTarget(
            name: "epitope",
            dependencies: [
                "EpitopeModel", "BehaviourBlocking", "Extraction", "Signatures", "Novelty", "PacketCoding", "Rendering",
                "SeccompBackend", "AgentLifeCycle", "KernelBackend", "HostParameters", "HostPolicy", "SystemCalls", "HostStore", "HostPipeline", "HostFrontEnd", "SecureChannel", "SuricataDelivery", "CenterStore",
                "CenterServer", "LocalCenter", "GlobalCenter", "Disassembly", "GoodwareIndex", "StreamReassembly", "WireProof",
                "TokenSequences", "SignatureMaking", "Captures", "PatternScan", "GoodwareFiles", "EngineAcceptance", "SignatureProving",
                argumentParser, logging, serviceLifecycle, unixSignals,
            ],
            swiftSettings: strict),

        // Fixtures: inert machine code and small programs that tests run. None of them is a product.
        .target(name: "EpitopeStubs", path: "Fixtures/Stubs"),
        .executableTarget(name: "call-stub", dependencies: ["EpitopeStubs"], path: "Fixtures/CallStub"),
        .executableTarget(name: "memory-program", dependencies: ["EpitopeStubs"], path: "Fixtures/MemoryProgram"),
        .executableTarget(name: "inject-stub", dependencies: ["EpitopeStubs"], path: "Fixtures/InjectStub"),
        .executableTarget(name: "call-series", dependencies: ["EpitopeStubs"], path: "Fixtures/CallSeries"),
        .executableTarget(name: "call-cost", path: "Fixtures/CallCost"),
        .executableTarget(name: "filter-dump", path: "Fixtures/FilterDump"),
        .target(name: "SampleNet", path: "Fixtures/SampleNet"),
        .executableTarget(name: "sample-service", dependencies: ["EpitopeStubs", "SampleNet"], path: "Fixtures/SampleService"),
        .executableTarget(name: "sample-sender", dependencies: ["EpitopeStubs", "SampleNet"], path: "Fixtures/SampleSender"),
        .executableTarget(
            name: "protect", dependencies: ["BehaviourBlocking", "EpitopeModel", "SeccompBackend"], path: "Fixtures/Protect",
            swiftSettings: strict),

        // Values and frames that tests and benchmarks start from.
        .target(name: "TestSupport", dependencies: ["EpitopeModel", "Signatures"], path: "Tests/TestSupport", swiftSettings: strict),

        .target(
            name: "KernelWatch", dependencies: ["BehaviourBlocking", "EpitopeModel", "KernelBackend"], path: "Tests/KernelWatch",
            swiftSettings: strict),

        // What runs in a machine of its own, with a kernel that has security hooks (Tests/KernelBackendTests/Machine).
        .executableTarget(
            name: "kernel-matrix", dependencies: ["BehaviourBlocking", "EpitopeModel", "KernelBackend", "TestSupport", "call-stub", "inject-stub"],
            path: "Fixtures/KernelMatrix", swiftSettings: strict),

        // Benchmarks and experiments. None of them is a product.
        .target(name: "ProgramMeasure", dependencies: ["CBpf"], path: "Fixtures/ProgramMeasure"),
        .target(name: "ProgramTrace", path: "Fixtures/ProgramTrace", swiftSettings: strict),
        .executableTarget(
            name: "program-cost", dependencies: ["BehaviourBlocking", "KernelBackend", "ProgramMeasure", "ProgramTrace"],
            path: "Fixtures/ProgramCost", swiftSettings: strict, plugins: ["KernelProgram"]),
        .executableTarget(
            name: "signature-bench",
            dependencies: [
                "EpitopeModel", "Signatures", "Disassembly", "GoodwareIndex", "StreamReassembly", "WireProof", "TokenSequences",
                "SignatureMaking", "Rendering", "PacketCoding", "Correlation", "Captures", "PatternScan", "GoodwareFiles",
                "EngineAcceptance", "SignatureProving", "EpitopeStubs", "TestSupport", argumentParser, crypto,
            ],
            path: "Bench/Signatures", swiftSettings: strict),

        // The tests, in the same order.
        tests("EpitopeModelTests", ["EpitopeModel"]),
        tests("BehaviourBlockingTests", ["EpitopeModel", "BehaviourBlocking"]),
        tests("ExtractionTests", ["EpitopeModel", "Extraction"]),
        tests("SignaturesTests", ["EpitopeModel", "Signatures"]),
        tests("NoveltyTests", ["EpitopeModel", "Novelty"]),
        tests("CorrelationTests", ["EpitopeModel", "Signatures", "Correlation"]),
        tests("DisassemblyTests", ["EpitopeModel", "Disassembly"]),
        tests("GoodwareIndexTests", ["EpitopeModel", "Signatures", "GoodwareIndex"]),
        tests("StreamReassemblyTests", ["EpitopeModel", "StreamReassembly"]),
        tests("WireProofTests", ["EpitopeModel", "Signatures", "StreamReassembly", "WireProof"]),
        tests("TokenSequencesTests", ["EpitopeModel", "Signatures", "TokenSequences"]),
        tests(
            "SignatureMakingTests",
            ["EpitopeModel", "Signatures", "Disassembly", "GoodwareIndex", "TokenSequences", "WireProof", "SignatureMaking"]),
        tests("RenderingTests", ["EpitopeModel", "Signatures", "Rendering"]),
        tests("PacketCodingTests", ["EpitopeModel", "Signatures", "PacketCoding"]),
        tests(
            "SeccompBackendTests",
            ["EpitopeModel", "BehaviourBlocking", "Extraction", "SystemCalls", "UnwindTables", "SeccompBackend", "CProcessFiles", "CSeccomp", "EpitopeStubs", "call-stub", "filter-dump", "memory-program", "protect", "sample-service"]),
        tests(
            "KernelBackendTests",
            ["EpitopeModel", "BehaviourBlocking", "Extraction", "SystemCalls", "KernelBackend", "KernelWatch", "CKernelProgram", "HostPolicy", "ProgramTrace", "EpitopeStubs", "call-stub", "inject-stub", "kernel-matrix", "memory-program"]),
        tests("OrdinaryWorkTests", ["EpitopeModel", "BehaviourBlocking", "KernelBackend", "KernelWatch", "HostPolicy", "epitope"]),
        tests("HostPolicyTests", ["EpitopeModel", "BehaviourBlocking", "HostPolicy"]),
        tests("AgentLifeCycleTests", ["EpitopeModel", "AgentLifeCycle", "HostFrontEnd", "KernelBackend"]),
        tests("AgentTests", ["EpitopeModel", "PacketCoding", "AgentLifeCycle", "HostStore", "EpitopeStubs", "epitope", "epitope-agent", "call-series", "call-stub"]),
        tests("AgentServiceTests", ["epitope-agent", "call-stub"]),
        tests("HostParametersTests", ["EpitopeModel", "SystemCalls", "HostParameters", crypto]),
        tests("HostStoreTests", ["EpitopeModel", "Novelty", "PacketCoding", "HostStore", grdb]),
        tests("HostPipelineTests", ["EpitopeModel", "Signatures", "Novelty", "PacketCoding", "HostParameters", "HostStore", "HostPipeline", logging]),
        tests("SecureChannelTests", ["EpitopeModel", "PacketCoding", "SecureChannel", "CenterServer", "Signatures", crypto, x509, swiftASN1, logging, nioCore, nioPosix, nioSSL, nioHTTP1, asyncHTTPClient, serviceLifecycle]),
        tests("CapturesTests", ["EpitopeModel", "StreamReassembly", "Captures"]),
        tests("PatternScanTests", ["EpitopeModel", "Signatures", "PatternScan"]),
        tests(
            "GoodwareFilesTests",
            ["EpitopeModel", "Signatures", "GoodwareIndex", "StreamReassembly", "Captures", "PatternScan", "GoodwareFiles"]),
        tests("EngineAcceptanceTests", ["EpitopeModel", "Signatures", "Rendering", "EngineAcceptance"]),
        tests(
            "SignatureProvingTests",
            [
                "EpitopeModel", "Signatures", "GoodwareIndex", "StreamReassembly", "WireProof", "TokenSequences", "SignatureMaking",
                "Rendering", "PacketCoding", "Captures", "PatternScan", "GoodwareFiles", "EngineAcceptance", "SignatureProving",
            ]),
        tests("SuricataDeliveryTests", ["EpitopeModel", "Signatures", "Rendering", "SuricataDelivery"]),
        tests("EndToEndTests", ["EpitopeModel", "Signatures", "Rendering", "PacketCoding", "CSeccomp", "epitope", "epitope-agent", "call-series", "call-stub", "sample-sender", "sample-service", grdb]),
        tests("CenterTests", ["EpitopeModel", "SettingsFiles", "Signatures", "GoodwareIndex", "GoodwareFiles", "SignatureMaking", "SignatureProving", "Correlation", "Rendering", "PacketCoding", "SecureChannel", "CenterStore", "CenterServer", "LocalCenter", "GlobalCenter", "SuricataDelivery", grdb, logging, serviceLifecycle]),
    ]
)
