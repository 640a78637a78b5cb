import cn.bif.api.BIFSDK;
import cn.bif.model.request.BIFAccountGetBalanceRequest;
import cn.bif.model.request.BIFAccountGetNonceRequest;
import cn.bif.model.request.BIFTransactionGetInfoRequest;
import cn.bif.model.response.BIFTransactionGetInfoResponse;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** The node that is asked, who asks it, and where the answers are written. */
final class Session {
    private static final long CONFIRM_MILLISECONDS = 20_000;
    private static final long POLL_MILLISECONDS = 20;

    /** Name of the place, which every line has. */
    final String place;
    final String url;
    /** A URL where nobody listens. */
    final String deadUrl;
    final int domain;
    /** Funded account with an Ed25519 key. */
    final Account sender;
    /** Funded account with an SM2 key. */
    final Account sm2;
    /** Keys whose accounts do not exist yet. */
    final Account first;
    final Account second;
    final Account third;
    /** A JavaScript contract: see test_bif_java_sdk.py. */
    final String contract;
    final BIFSDK sdk;

    private final ObjectMapper json =
            new ObjectMapper().setSerializationInclusion(JsonInclude.Include.NON_NULL);
    private final PrintStream out;

    Session(Map<String, String> settings) {
        out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        place = settings.get("place");
        url = settings.get("url");
        deadUrl = settings.get("deadUrl");
        domain = Integer.parseInt(settings.get("domain"));
        sender = new Account(settings.get("sender"));
        sm2 = new Account(settings.get("sm2"));
        first = new Account(settings.get("first"));
        second = new Account(settings.get("second"));
        third = new Account(settings.get("third"));
        contract = settings.get("contract");
        sdk = BIFSDK.getInstance(url);
    }

    /** A key and its address, given as KEY,ADDRESS. */
    static final class Account {
        final String privateKey;
        final String address;

        Account(String setting) {
            String[] parts = setting.split(",");
            privateKey = parts[0];
            address = parts[1];
        }
    }

    /** Writes what the SDK answered to one call. */
    void say(String step, Object answer) throws Exception {
        ObjectNode line = json.createObjectNode();
        line.put("place", place);
        line.put("step", step);
        line.set("answer", json.valueToTree(answer));
        out.println(json.writeValueAsString(line));
    }

    /** Waits until a transaction is in a block, and writes what the SDK says of it. */
    void confirm(String step, String hash) throws Exception {
        long end = System.currentTimeMillis() + CONFIRM_MILLISECONDS;
        while (true) {
            BIFTransactionGetInfoResponse answer = info(hash);
            boolean found = Integer.valueOf(0).equals(answer.getErrorCode());
            if (found || System.currentTimeMillis() > end) {
                say(step + ":confirmed", answer);
                return;
            }
            Thread.sleep(POLL_MILLISECONDS);
        }
    }

    BIFTransactionGetInfoResponse info(String hash) {
        BIFTransactionGetInfoRequest request = new BIFTransactionGetInfoRequest();
        request.setHash(hash);
        request.setDomainId(domain);
        return sdk.getBIFTransactionService().getTransactionInfo(request);
    }

    void balance(String step, String address) throws Exception {
        BIFAccountGetBalanceRequest request = new BIFAccountGetBalanceRequest();
        request.setAddress(address);
        request.setDomainId(domain);
        say(step, sdk.getBIFAccountService().getAccountBalance(request));
    }

    long nonce(String address) {
        BIFAccountGetNonceRequest request = new BIFAccountGetNonceRequest();
        request.setAddress(address);
        request.setDomainId(domain);
        Long nonce = sdk.getBIFAccountService().getNonce(request).getResult().getNonce();
        return nonce == null ? 0 : nonce;
    }
}
