/*
 * Copyright idis-emulator contributors.
 * SPDX-License-Identifier: Apache-2.0
 *
 * Drives the public API of the official Java SDK (id-pointer-sdk) through a script
 * of calls and reports what each call gave. It decides nothing: the Python test
 * beside it holds the expectations.
 *
 * Arguments are key=value:
 *   recursionHost recursionPort  the recursive node
 *   nodeHost nodePort            the node that serves `prefix`
 *   prefix userHandle userIndex  the account to log in with, and where it may write
 *   keyFile | sm2KeyFile         its private key, PKCS#8 PEM; the file decides the script
 *   identifier                   an identifier anyone may resolve
 *   identifiers                  more of them, separated by commas
 *   homePrefix                   prefix to home and unhome (default: PREFIX.9901)
 *   timeoutSeconds               deadline of one call (default 10)
 *
 * Standard output carries one line a step, UTF-8:
 *   STEP name OK value...        value = index:type:permissions:ttl:hex(data), or plain text
 *   STEP name ERROR codes text   an IDException; codes of it and its causes, "25/403"
 *   STEP name FAIL class text    any other exception
 *   STEP name HANG seconds       no answer; the SDK has no deadline of its own
 *   STEP name SKIP reason
 * Everything the SDK prints goes to standard error. Exit status: 0 the script ended
 * (whatever the results), 2 misuse.
 */

import cn.teleinfo.idpointer.sdk.client.GlobalIdClientFactory;
import cn.teleinfo.idpointer.sdk.client.IDClient;
import cn.teleinfo.idpointer.sdk.client.IDResolver;
import cn.teleinfo.idpointer.sdk.client.ValueHelper;
import cn.teleinfo.idpointer.sdk.config.IDClientConfig;
import cn.teleinfo.idpointer.sdk.core.HandleValue;
import cn.teleinfo.idpointer.sdk.exception.IDException;
import cn.teleinfo.idpointer.sdk.util.KeyConverter;

import org.bouncycastle.jce.provider.BouncyCastleProvider;

import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.Security;
import java.security.spec.ECGenParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

public final class SdkDriver {
    private static final int MAX_HANGS = 3;
    private static final int REUSE_COUNT = 50;
    private static final int PARALLEL_COUNT = 8;

    private final PrintStream out;
    private final Map<String, String> arguments;
    private final long timeoutSeconds;
    private final InetSocketAddress recursion;
    private final InetSocketAddress node;
    private final String prefix;
    private final String userHandle;
    private final int userIndex;
    private final String unique = Long.toString(System.nanoTime(), 36);
    private int hangs;

    private SdkDriver(PrintStream out, Map<String, String> arguments) {
        this.out = out;
        this.arguments = arguments;
        this.timeoutSeconds = Long.parseLong(arguments.getOrDefault("timeoutSeconds", "10"));
        this.recursion = address("recursion");
        this.node = address("node");
        this.prefix = need("prefix");
        this.userHandle = need("userHandle");
        this.userIndex = Integer.parseInt(need("userIndex"));
    }

    public static void main(String[] argv) throws Exception {
        // The SDK and its logging print to System.out: keep the real one to ourselves.
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        System.setOut(System.err);
        int status = 2;
        try {
            Map<String, String> arguments = new HashMap<>();
            for (String argument : argv) {
                int equals = argument.indexOf('=');
                if (equals < 1) {
                    throw new IllegalArgumentException("expected key=value, got " + argument);
                }
                arguments.put(argument.substring(0, equals), argument.substring(equals + 1));
            }
            SdkDriver driver = new SdkDriver(out, arguments);
            driver.configure();
            if (arguments.containsKey("keyFile")) {
                driver.runRsaScript();
            } else {
                driver.runSm2Script();
            }
            status = 0;
        } catch (IllegalArgumentException problem) {
            System.err.println("SdkDriver: " + problem.getMessage());
        } catch (Exception problem) {
            problem.printStackTrace(System.err);
        } finally {
            out.flush();
            // Netty's event loops are never stopped by the SDK, so the JVM would not end.
            System.exit(status);
        }
    }

    private void configure() {
        IDClientConfig config = IDClientConfig.builder()
                .recursionServerIp(recursion.getHostString())
                .recursionServerPort(recursion.getPort())
                .build();
        GlobalIdClientFactory.init(config);
    }

    // ---- scripts -------------------------------------------------------------------

    private void runRsaScript() throws Exception {
        final PrivateKey key = KeyConverter.fromPkcs8Pem(read(need("keyFile")));
        final String handle = prefix + "/sdk-" + unique;
        final IDResolver resolver = GlobalIdClientFactory.getIdResolver();
        final IDClient anonymous = GlobalIdClientFactory.getIdClientFactory().newInstance(node);
        final IDClient client = login(userHandle, userIndex, key);

        resolveThroughRecursion(resolver);
        refuseWithoutLogin(anonymous, "before", handle);
        failToLogin();
        changeRecord(client, resolver, handle);
        select(resolver, anonymous, client, handle);
        resolveWithToken(anonymous, key, handle);
        keepConnections(anonymous, client, handle);
        refuseWithoutLogin(anonymous, "after", handle);
        step("resolve-after-refusals", () -> values(resolver.resolveHandle(handle)));
        removeRecord(client, resolver, handle);
        movePrefix(client);
    }

    private void resolveThroughRecursion(IDResolver resolver) {
        final String identifier = arguments.get("identifier");
        step("site-address", () -> {
            InetSocketAddress address = GlobalIdClientFactory.getPrefixTcpInetSocketAddress(prefix);
            return address.getAddress().getHostAddress() + ":" + address.getPort();
        });
        step("resolve-prefix", () -> values(resolver.resolveHandle(prefix)));
        step("resolve-prefix-site", () -> values(resolver.resolveHandle(prefix, new String[] {"HS_SITE"}, null)));
        step("resolve-prefix-missing", () -> values(resolver.resolveHandle(prefix + ".99999/x")));
        if (identifier != null) {
            step("resolve", () -> values(resolver.resolveHandle(identifier)));
        } else {
            report("resolve", "SKIP", "no identifier given");
        }
        if (arguments.containsKey("identifiers")) {
            // Every resolution of the SDK leaves a connection open: keep this list short.
            for (String each : need("identifiers").split(",")) {
                step("resolve:" + each.replace(' ', '_'), () -> values(resolver.resolveHandle(each)));
            }
        }
        step("resolve-missing", () -> values(resolver.resolveHandle(prefix + "/sdk-missing-" + unique)));
    }

    /** Every write an anonymous connection can try; none may succeed. */
    private void refuseWithoutLogin(IDClient anonymous, String when, String handle) {
        final HandleValue[] values = one(text(1, "URL", "https://anonymous.example"));
        if (when.equals("before")) {
            step("anonymous-create", () -> done(() -> anonymous.createHandle(handle, values)));
            return;
        }
        step("anonymous-overwrite", () -> done(() -> anonymous.createHandle(handle, values, true)));
        step("anonymous-add", () -> done(() -> anonymous.addHandleValues(handle, one(text(9, "URL", "x")))));
        step("anonymous-update", () -> done(() -> anonymous.updateHandleValues(handle, values)));
        step("anonymous-remove", () -> done(() -> anonymous.deleteHandleValues(handle, new int[] {1})));
        step("anonymous-delete", () -> done(() -> anonymous.deleteHandle(handle)));
        step("anonymous-home", () -> done(() -> anonymous.homeNa(homePrefix())));
    }

    private void failToLogin() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(2048);
        final PrivateKey stranger = generator.generateKeyPair().getPrivate();
        final IDClient wrongKey = login(userHandle, userIndex, stranger);
        step("login-wrong-key", () -> done(() -> wrongKey.deleteHandle(prefix + "/sdk-missing")));
        // The pool hands out the same connection again: a refused login must not leave it logged in.
        step("login-wrong-key-again", () -> done(() -> wrongKey.createHandle(prefix + "/sdk-wrong-key-" + unique,
                one(text(1, "URL", "x")))));
        final IDClient unknown = login(prefix + "/no-such-user-" + unique, 300, stranger);
        step("login-unknown-user", () -> done(() -> unknown.deleteHandle(prefix + "/sdk-missing")));
    }

    private void changeRecord(IDClient client, IDResolver resolver, String handle) {
        step("login", () -> values(client.resolveHandle(userHandle)));
        step("create", () -> done(() -> client.createHandle(handle, firstValues())));
        step("resolve-created", () -> values(resolver.resolveHandle(handle)));
        step("create-again", () -> done(() -> client.createHandle(handle, firstValues())));
        step("create-overwrite", () -> done(() -> client.createHandle(handle, secondValues(), true)));
        step("resolve-overwritten", () -> values(resolver.resolveHandle(handle)));
        step("add", () -> done(() -> client.addHandleValues(handle, one(text(4, "DESC", "武汉")))));
        step("resolve-added", () -> values(resolver.resolveHandle(handle)));
        step("add-again", () -> done(() -> client.addHandleValues(handle, one(text(4, "DESC", "again")))));
        step("add-overwrite", () -> done(() -> client.addHandleValues(handle, one(text(4, "DESC", "汉阳")), true)));
        step("resolve-add-overwritten", () -> values(resolver.resolveHandle(handle)));
        step("update", () -> done(() -> client.updateHandleValues(handle, one(text(1, "URL", "https://updated.example")))));
        step("resolve-updated", () -> values(resolver.resolveHandle(handle)));
        step("update-missing", () -> done(() -> client.updateHandleValues(handle, one(text(77, "URL", "x")))));
        step("create-not-homed", () -> done(() -> client.createHandle("99.99999.1/sdk-" + unique, firstValues())));
    }

    private void select(IDResolver resolver, IDClient anonymous, IDClient client, String handle) {
        step("by-type", () -> values(resolver.resolveHandle(handle, new String[] {"URL"}, null)));
        step("by-type-case", () -> values(resolver.resolveHandle(handle, new String[] {"url"}, null)));
        step("by-index", () -> values(resolver.resolveHandle(handle, null, new int[] {2})));
        step("by-type-and-index", () -> values(resolver.resolveHandle(handle, new String[] {"URL"}, new int[] {2})));
        step("by-type-none", () -> values(resolver.resolveHandle(handle, new String[] {"NO_SUCH_TYPE"}, null)));
        step("restricted-anonymous", () -> values(anonymous.resolveHandle(handle, null, new int[] {3})));
        step("restricted-login", () -> values(client.resolveHandle(handle, null, new int[] {3})));
        step("all-login", () -> values(client.resolveHandle(handle)));
    }

    /** The Chinese extension: a signed token travels with a resolution (flag 0x4). */
    private void resolveWithToken(IDClient anonymous, PrivateKey key, String handle) {
        final String token = ValueHelper.getInstance().generateUserToken(userIndex, userHandle, System.nanoTime(), key);
        final IDClient recursive = GlobalIdClientFactory.getIdClientFactory().newInstance(recursion);
        step("token-node", () -> values(anonymous.resolveHandle(handle, null, null, token)));
        step("token-recursion", () -> values(recursive.resolveHandle(handle, null, null, token)));
        step("token-invalid", () -> values(anonymous.resolveHandle(handle, null, null, "not.a.token")));
        step("recursion-full", () -> values(recursive.resolveHandle(handle)));
    }

    private void keepConnections(IDClient anonymous, IDClient client, String handle) {
        step("reuse", () -> {
            for (int i = 0; i < REUSE_COUNT; i++) {
                anonymous.resolveHandle(handle);
            }
            return Integer.toString(REUSE_COUNT);
        });
        // Each connection of the pool logs in by itself.
        step("parallel-login", () -> {
            List<FutureTask<String>> tasks = new ArrayList<>();
            for (int i = 0; i < PARALLEL_COUNT; i++) {
                tasks.add(start(() -> values(client.resolveHandle(handle, null, new int[] {3}))));
            }
            for (FutureTask<String> task : tasks) {
                task.get();
            }
            return Integer.toString(PARALLEL_COUNT);
        });
    }

    private void removeRecord(IDClient client, IDResolver resolver, String handle) {
        step("remove", () -> done(() -> client.deleteHandleValues(handle, new int[] {4})));
        step("resolve-removed", () -> values(resolver.resolveHandle(handle)));
        step("remove-missing", () -> done(() -> client.deleteHandleValues(handle, new int[] {77})));
        step("delete", () -> done(() -> client.deleteHandle(handle)));
        step("resolve-deleted", () -> values(resolver.resolveHandle(handle)));
        step("delete-again", () -> done(() -> client.deleteHandle(handle)));
    }

    private void movePrefix(IDClient client) {
        step("home", () -> done(() -> client.homeNa(homePrefix())));
        step("unhome", () -> done(() -> client.unhomeNa(homePrefix())));
    }

    /**
     * The SDK signs with SM2 in two ways. A key from KeyConverter calls its algorithm "SM2" and
     * needs BouncyCastle registered in the JVM (label "SHA-256"); a key whose algorithm is "EC"
     * takes another way (label "SM3"). The order matters: nothing may register it earlier.
     */
    private void runSm2Script() throws Exception {
        final String pem = read(need("sm2KeyFile"));
        final PrivateKey sdkKey = KeyConverter.fromPkcs8Pem(pem);
        step("bouncycastle-before", SdkDriver::bouncyCastleState);
        sm2Session("sm2-unregistered", sdkKey);
        step("bouncycastle-between", SdkDriver::bouncyCastleState);

        final BouncyCastleProvider bouncyCastle = new BouncyCastleProvider();
        final PrivateKey ecKey = KeyFactory.getInstance("EC", bouncyCastle)
                .generatePrivate(new PKCS8EncodedKeySpec(decodePem(pem)));
        step("ec-algorithm", ecKey::getAlgorithm);
        sm2Session("sm2-ec", ecKey);
        step("bouncycastle-after-ec", SdkDriver::bouncyCastleState);

        Security.addProvider(bouncyCastle);
        sm2Session("sm2-registered", sdkKey);

        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC", bouncyCastle);
        generator.initialize(new ECGenParameterSpec("sm2p256v1"));
        sm2Session("sm2-wrong-key", generator.generateKeyPair().getPrivate());
    }

    private void sm2Session(String name, PrivateKey key) {
        final String handle = prefix + "/" + name + "-" + unique;
        final IDClient client = login(userHandle, userIndex, key);
        step(name + "-create", () -> done(() -> client.createHandle(handle, firstValues())));
        step(name + "-resolve", () -> values(GlobalIdClientFactory.getIdResolver().resolveHandle(handle)));
        step(name + "-delete", () -> done(() -> client.deleteHandle(handle)));
    }

    // ---- values --------------------------------------------------------------------

    private HandleValue[] firstValues() {
        return new HandleValue[] {
            text(1, "URL", "https://first.example"),
            text(2, "EMAIL", "first@example.com"),
            restricted(3, "NOTE", "for administrators"),
            ValueHelper.getInstance().newAdminValue(100, userHandle, userIndex),
        };
    }

    private HandleValue[] secondValues() {
        return new HandleValue[] {
            text(1, "URL", "https://second.example"),
            text(2, "EMAIL", "second@example.com"),
            restricted(3, "NOTE", "for administrators"),
            ValueHelper.getInstance().newAdminValue(100, userHandle, userIndex),
        };
    }

    private static HandleValue text(int index, String type, String data) {
        return new HandleValue(index, type, data.getBytes(StandardCharsets.UTF_8));
    }

    private static HandleValue[] one(HandleValue value) {
        return new HandleValue[] {value};
    }

    private static HandleValue restricted(int index, String type, String data) {
        HandleValue value = text(index, type, data);
        value.setAnyoneCanRead(false);
        return value;
    }

    private static String values(HandleValue[] values) {
        StringBuilder line = new StringBuilder();
        for (HandleValue value : values) {
            if (line.length() > 0) {
                line.append(' ');
            }
            line.append(value.getIndex()).append(':').append(value.getTypeAsString()).append(':')
                    .append(value.getPermissionString()).append(':').append(value.getTTL()).append(':');
            for (byte octet : value.getData()) {
                line.append(String.format("%02x", octet));
            }
        }
        return line.toString();
    }

    // ---- keys and arguments --------------------------------------------------------

    /** Opens nothing yet: the SDK connects and logs in when the first request is made. */
    private IDClient login(String handle, int index, PrivateKey key) {
        return GlobalIdClientFactory.getIdClientFactory().newInstance(node, handle, index, key);
    }

    private static String bouncyCastleState() {
        return Security.getProvider(BouncyCastleProvider.PROVIDER_NAME) == null ? "absent" : "registered";
    }

    private static byte[] decodePem(String pem) {
        return Base64.getMimeDecoder().decode(pem.replaceAll("-----[A-Z ]+-----", ""));
    }

    private static String read(String path) throws Exception {
        return new String(Files.readAllBytes(Paths.get(path)), StandardCharsets.US_ASCII);
    }

    private String homePrefix() {
        return arguments.getOrDefault("homePrefix", prefix + ".9901");
    }

    private InetSocketAddress address(String role) {
        return new InetSocketAddress(need(role + "Host"), Integer.parseInt(need(role + "Port")));
    }

    private String need(String key) {
        String value = arguments.get(key);
        if (value == null) {
            throw new IllegalArgumentException("missing argument " + key);
        }
        return value;
    }

    // ---- running one step ----------------------------------------------------------

    private interface Action {
        void run() throws Exception;
    }

    private static String done(Action action) throws Exception {
        action.run();
        return "";
    }

    private static FutureTask<String> start(Callable<String> call) {
        FutureTask<String> task = new FutureTask<>(call);
        Thread worker = new Thread(task, "step");
        worker.setDaemon(true);
        worker.start();
        return task;
    }

    private void step(String name, Callable<String> call) {
        if (hangs >= MAX_HANGS) {
            report(name, "SKIP", "after " + MAX_HANGS + " hangs");
            return;
        }
        try {
            report(name, "OK", start(call).get(timeoutSeconds, TimeUnit.SECONDS));
        } catch (TimeoutException late) {
            hangs++;
            report(name, "HANG", Long.toString(timeoutSeconds));
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            report(name, "FAIL", "InterruptedException");
        } catch (ExecutionException wrapped) {
            reportProblem(name, wrapped.getCause());
        }
    }

    private void reportProblem(String name, Throwable problem) {
        problem.printStackTrace(System.err);
        while (problem instanceof ExecutionException && problem.getCause() != null) {
            problem = problem.getCause();
        }
        StringBuilder codes = new StringBuilder();
        StringBuilder texts = new StringBuilder();
        for (Throwable link = problem; link != null; link = link.getCause()) {
            if (link instanceof IDException) {
                codes.append(codes.length() == 0 ? "" : "/").append(((IDException) link).getCode());
            }
            texts.append(texts.length() == 0 ? "" : " <- ").append(link.getClass().getSimpleName())
                    .append(": ").append(link.getMessage());
        }
        if (problem instanceof IDException) {
            report(name, "ERROR", codes + " " + texts);
        } else {
            report(name, "FAIL", texts.toString());
        }
    }

    private void report(String name, String result, String text) {
        String line = "STEP " + name + " " + result + " " + text.replaceAll("\\s+", " ");
        out.println(line.trim());
    }
}
